//! A number that is typed, with buttons and arrow keys to step it.

use super::slot::slot;
use super::step::Step;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Field};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// A number and how it is shown.
pub struct Number {
    /// The field.
    pub field: Field,
    /// Its label.
    pub label: &'static str,
    /// What it does to memory.
    pub note: AttrValue,
    /// Its present value.
    pub value: u64,
    /// How it is stepped.
    pub step: Step,
    /// The name by which browser tests find it.
    pub testid: &'static str,
}

/// A number with its steps; `below` stands between the field and its note.
pub fn number(desk: &Desk, shown: Number, below: Html) -> Html {
    let Desk { state, act } = desk;
    let Number {
        field,
        label,
        note,
        value,
        step,
        testid,
    } = shown;
    let name = field.name();
    let problem = state.problem(name);
    let oninput = act.reform(move |event: InputEvent| {
        Action::Type(field, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    let onblur = act.reform(move |_| Action::Leave(field));
    let go = act.reform(move |to: u64| Action::Type(field, to.to_string()));
    let onkeydown = {
        let go = go.clone();
        Callback::from(move |event: KeyboardEvent| {
            let to = match event.key().as_str() {
                "ArrowUp" => step.up(value),
                "ArrowDown" => step.down(value),
                _ => return,
            };
            event.prevent_default();
            go.emit(to);
        })
    };
    // The arrow keys do the same, so the buttons stay out of the tab order.
    let button = |word: &str, sign: &'static str, to: u64| {
        html! {
            <button type="button" tabindex="-1" aria-label={format!("{label}: {word}")}
                onclick={go.reform(move |_| to)} disabled={to == value}>{sign}</button>
        }
    };
    let line = format!("{name}-note");
    html! {
        <div class="field number">
            <label for={name}>{label}</label>
            <div class="stepper">
                {button("less", "−", step.down(value))}
                <input type="text" inputmode="numeric" id={name} data-testid={testid} autocomplete="off"
                    value={state.text(field)} aria-describedby={line.clone()}
                    aria-invalid={problem.is_some().then_some("true")} {oninput} {onblur} {onkeydown} />
                {button("more", "+", step.up(value))}
            </div>
            {below}
            {slot(line, note, problem)}
        </div>
    }
}
