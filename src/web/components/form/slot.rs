//! The line below a control: what it does to memory, or what is wrong with it.

use yew::prelude::*;

/// A line's words.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The id to which the control's `aria-describedby` points.
    pub id: AttrValue,
    /// What the present value does to memory.
    pub note: AttrValue,
    /// What is wrong; shown instead of the note, so that nothing moves.
    pub problem: Option<String>,
}

/// The line below a control.
#[component]
pub fn Slot(props: &Props) -> Html {
    let id = props.id.clone();
    match &props.problem {
        Some(problem) => html! { <p class="problem" {id} data-testid="problem">{problem}</p> },
        None => html! { <p class="note" {id}>{&props.note}</p> },
    }
}
