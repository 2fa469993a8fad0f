//! A field of free text.

use super::slot::Slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Field};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Which text.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The page.
    pub desk: Desk,
    /// The field.
    pub field: Field,
    /// Its label.
    pub label: AttrValue,
    /// What it does to memory.
    pub note: AttrValue,
    /// Shown while it is empty.
    #[prop_or_default]
    pub placeholder: AttrValue,
}

/// A field of free text.
#[component]
pub fn Text(props: &Props) -> Html {
    let Desk { state, act } = props.desk.clone();
    let (field, name) = (props.field, props.field.name());
    let problem = state.problem(name);
    let oninput = act.reform(move |event: InputEvent| {
        Action::Type(field, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    let onblur = act.reform(move |_| Action::Leave(field));
    let slot = format!("{name}-note");
    html! {
        <div class="field text">
            <label for={name}>{&props.label}</label>
            <input type="text" id={name} data-testid={name} spellcheck="false" autocomplete="off" autocapitalize="off"
                placeholder={&props.placeholder} value={state.text(field)} aria-describedby={slot.clone()}
                aria-invalid={problem.is_some().then_some("true")} {oninput} {onblur} />
            <Slot id={slot} note={props.note.clone()} {problem} />
        </div>
    }
}
