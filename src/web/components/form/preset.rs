//! Common runs to start from.

use crate::web::components::desk::Desk;
use crate::web::components::piece::piece;
use crate::web::presets::presets;
use crate::web::state::Action;
use web_sys::HtmlSelectElement;
use yew::functional::Hook;
use yew::prelude::*;

/// The list of common runs.
pub fn presets_list(desk: &Desk) -> Html {
    piece("presets", desk, |desk, context| {
        use_presets_list(desk).run(context)
    })
}

#[hook]
fn use_presets_list(desk: &Desk) -> Html {
    let all = use_memo((), |()| presets().collect::<Vec<_>>());
    let here = all.iter().position(|(_, run)| *run == desk.state.scenario);
    let onchange = {
        let (all, act) = (all.clone(), desk.act.clone());
        Callback::from(move |event: Event| {
            let value = event.target_unchecked_into::<HtmlSelectElement>().value();
            let chosen = value.parse().ok().and_then(|place: usize| all.get(place));
            if let Some((_, run)) = chosen {
                act.emit(Action::Take(Box::new(run.clone())));
            }
        })
    };
    html! {
        <div class="field select">
            <label for="preset">{"Start from"}</label>
            <select id="preset" data-testid="preset" {onchange}>
                <option value="" selected={here.is_none()}>{"a common run…"}</option>
                for (place, (name, _)) in all.iter().enumerate() {
                    <option value={place.to_string()} selected={here == Some(place)}>{name}</option>
                }
            </select>
        </div>
    }
}
