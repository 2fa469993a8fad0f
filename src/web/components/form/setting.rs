//! A closed choice: a row of radio buttons for a few values, a list for many.

use super::slot::slot;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Offer, Setting, State};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

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
pub fn radios(desk: &Desk, setting: Setting, label: &'static str) -> Html {
    let (state, name) = (&desk.state, setting.name());
    let (offers, note) = shown(state, setting);
    let onchange = desk.act.reform(move |event: Event| {
        Action::Choose(setting, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    let line = format!("{name}-note");
    html! {
        <fieldset class="field radios" data-testid={name} aria-describedby={line.clone()}>
            <legend>{label}</legend>
            <div class="row">
                for shown in offers {
                    <label title={shown.refusal.clone().unwrap_or_else(|| shown.offer.note.to_owned())}>
                        <input type="radio" {name} value={shown.offer.slug} checked={shown.chosen}
                            disabled={shown.refusal.is_some()} onchange={onchange.clone()} />
                        <span>
                            {shown.offer.label}
                        </span>
                    </label>
                }
            </div>
            {slot(line, note, state.problem(name))}
        </fieldset>
    }
}

/// A list to choose from.
pub fn select(desk: &Desk, setting: Setting, label: &'static str) -> Html {
    let (state, name) = (&desk.state, setting.name());
    let (offers, note) = shown(state, setting);
    let problem = state.problem(name);
    let onchange = desk.act.reform(move |event: Event| {
        Action::Choose(
            setting,
            event.target_unchecked_into::<HtmlSelectElement>().value(),
        )
    });
    let line = format!("{name}-note");
    html! {
        <div class="field select">
            <label for={name}>{label}</label>
            <select id={name} data-testid={name} aria-describedby={line.clone()}
                aria-invalid={problem.is_some().then_some("true")} {onchange}>
                for shown in offers {
                    <option value={shown.offer.slug} selected={shown.chosen} disabled={shown.refusal.is_some()}
                        title={shown.refusal.clone()}>
                        {shown.offer.label}
                    </option>
                }
            </select>
            {slot(line, note, problem)}
        </div>
    }
}
