//! A field of free text.

use super::slot::slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Field};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// A field of free text, with the note on what it does to memory.
pub fn text(desk: &Desk, field: Field, label: &'static str, note: &'static str) -> Html {
    let Desk { state, act } = desk;
    let name = field.name();
    let problem = state.problem(name);
    let oninput = act.reform(move |event: InputEvent| {
        Action::Type(field, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    let onblur = act.reform(move |_| Action::Leave(field));
    let line = format!("{name}-note");
    html! {
        <div class="field text">
            <label for={name}>{label}</label>
            <input type="text" id={name} data-testid={name} spellcheck="false" autocomplete="off" autocapitalize="off"
                value={state.text(field)} aria-describedby={line.clone()}
                aria-invalid={problem.is_some().then_some("true")} {oninput} {onblur} />
            {slot(line, note, problem)}
        </div>
    }
}
