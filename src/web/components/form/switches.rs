//! Settings that are on or off.

use super::slot::Slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Switch};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Which switches.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The page.
    pub desk: Desk,
    /// The switches, in order.
    pub switches: &'static [Switch],
}

/// A list of check boxes.
#[component]
pub fn Switches(props: &Props) -> Html {
    let Desk { state, act } = props.desk.clone();
    let row = |switch: Switch| {
        let name = switch.name();
        let slot = format!("{name}-note");
        let onchange = act.reform(move |event: Event| {
            Action::Turn(
                switch,
                event.target_unchecked_into::<HtmlInputElement>().checked(),
            )
        });
        html! {
            <div class="field switch">
                <label>
                    <input type="checkbox" data-testid={name} checked={switch.get(&state.scenario)}
                        aria-describedby={slot.clone()} {onchange} />
                    <span>{switch.label()}</span>
                </label>
                <Slot id={slot} note={switch.note()} problem={state.problem(name)} />
            </div>
        }
    };
    props.switches.iter().map(|switch| row(*switch)).collect()
}
