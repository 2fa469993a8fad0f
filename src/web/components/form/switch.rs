//! Settings that are on or off.

use super::slot::slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Switch};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// A check box.
pub fn switch(desk: &Desk, switch: Switch) -> Html {
    let Desk { state, act } = desk;
    let name = switch.name();
    let line = format!("{name}-note");
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
                    aria-describedby={line.clone()} {onchange} />
                <span>{switch.label()}</span>
            </label>
            {slot(line, switch.note(), state.problem(name))}
        </div>
    }
}
