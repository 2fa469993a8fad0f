//! A closed choice: a row of radio buttons for a few values, a list for many.

use super::slot::Slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Offer, Setting, State};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

/// Which choice.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The page.
    pub desk: Desk,
    /// The setting.
    pub setting: Setting,
    /// Its label.
    pub label: AttrValue,
}

struct Shown {
    offer: Offer,
    chosen: bool,
    refusal: Option<String>,
}

/// The offers of a setting, and the note of the one that is chosen.
fn shown(state: &State, setting: Setting) -> (Vec<Shown>, &'static str) {
    let chosen = setting.chosen(&state.scenario);
    let show = |offer: Offer| {
        let chosen = offer.slug == chosen;
        let refusal = if chosen {
            None
        } else {
            state.refusal(setting, offer.slug)
        };
        Shown {
            offer,
            chosen,
            refusal,
        }
    };
    let offers: Vec<Shown> = setting.offers().into_iter().map(show).collect();
    let note = offers
        .iter()
        .find(|shown| shown.chosen)
        .map_or("", |shown| shown.offer.note);
    (offers, note)
}

/// A row of radio buttons; browser tests find the group by the setting's name and a button by its value.
#[component]
pub fn Radios(props: &Props) -> Html {
    let Desk { state, act } = props.desk.clone();
    let (setting, name) = (props.setting, props.setting.name());
    let (offers, note) = shown(&state, setting);
    let onchange = act.reform(move |event: Event| {
        Action::Choose(setting, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    let slot = format!("{name}-note");
    html! {
        <fieldset class="field radios" data-testid={name} aria-describedby={slot.clone()}>
            <legend>{&props.label}</legend>
            <div class="row">
                for shown in offers {
                    <label title={shown.refusal.clone().unwrap_or_else(|| shown.offer.note.to_owned())}>
                        <input type="radio" {name} value={shown.offer.slug} checked={shown.chosen}
                            disabled={shown.refusal.is_some()} onchange={onchange.clone()} />
                        <span>
                            {shown.offer.label}
                            if setting == Setting::Stack && shown.refusal.is_some() { <em>{"next"}</em> }
                        </span>
                    </label>
                }
            </div>
            <Slot id={slot} {note} problem={state.problem(name)} />
        </fieldset>
    }
}

/// A list to choose from.
#[component]
pub fn Select(props: &Props) -> Html {
    let Desk { state, act } = props.desk.clone();
    let (setting, name) = (props.setting, props.setting.name());
    let (offers, note) = shown(&state, setting);
    let problem = state.problem(name);
    let onchange = act.reform(move |event: Event| {
        Action::Choose(
            setting,
            event.target_unchecked_into::<HtmlSelectElement>().value(),
        )
    });
    let slot = format!("{name}-note");
    html! {
        <div class="field select">
            <label for={name}>{&props.label}</label>
            <select id={name} data-testid={name} aria-describedby={slot.clone()}
                aria-invalid={problem.is_some().then_some("true")} {onchange}>
                for shown in offers {
                    <option value={shown.offer.slug} selected={shown.chosen} disabled={shown.refusal.is_some()}
                        title={shown.refusal.clone()}>
                        {shown.offer.label}
                    </option>
                }
            </select>
            <Slot id={slot} {note} {problem} />
        </div>
    }
}
