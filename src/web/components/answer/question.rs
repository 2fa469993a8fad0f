//! What the answer is about, in a line; or that it is about an earlier question, and why.

use crate::web::state::{Standing, State};
use crate::words::run;
use yew::prelude::*;

/// The question.
pub fn question(state: &State) -> Html {
    match (&state.answer.standing, &state.answer.last) {
        (Standing::Overtaken, Some(_)) => {
            let wrong: Vec<&str> = state
                .all_problems()
                .map(|problem| problem.field.as_str())
                .collect();
            html! {
                <p class="eyebrow warn" role="status">
                    {format!("Last good answer. To be put right: {}", wrong.join(", "))}
                </p>
            }
        }
        _ => html! { <p class="eyebrow">{run(&state.scenario)}</p> },
    }
}
