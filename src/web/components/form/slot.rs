//! The line below a control: what it does to memory, or what is wrong with it.

use yew::prelude::*;

/// The line below a control, to which the control's `aria-describedby` points. A problem stands in the place of the note,
/// so that nothing moves.
pub fn slot(id: String, note: impl Into<AttrValue>, problem: Option<String>) -> Html {
    match problem {
        Some(problem) => html! { <p class="problem" {id} data-testid="problem">{problem}</p> },
        None => html! { <p class="note" {id}>{note.into()}</p> },
    }
}
