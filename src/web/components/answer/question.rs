//! What the answer is about, in a line; or that it is about an earlier question, and why.

use crate::scenario::{Method, ModelRef, Scenario};
use crate::web::state::{Standing, State};
use crate::web::words::count;
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
        _ => html! { <p class="eyebrow">{in_words(&state.scenario)}</p> },
    }
}

fn in_words(scenario: &Scenario) -> String {
    let model = match &scenario.model {
        ModelRef::Catalog(id) => id.rsplit('/').next().unwrap_or(id).to_owned(),
        ModelRef::Config(config) => config.label(),
    };
    let method = match scenario.method {
        Method::Full => "full fine-tuning".to_owned(),
        adapters => format!("{} rank {}", adapters.label(), scenario.lora.rank),
    };
    let batch = match scenario.batch {
        1 => "1 sequence".to_owned(),
        batch => format!("{} sequences", count(batch)),
    };
    format!(
        "{model} · {method} · {} · {batch} of {} tokens",
        scenario.weights,
        count(scenario.seq)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_what_decides_most() {
        assert_eq!(
            in_words(&Scenario::default()),
            "Llama-3.1-8B · QLoRA rank 16 · nf4-dq · 2 sequences of 2,048 tokens"
        );
    }
}
