//! The panels of the second part: its doors, and what stands in their place until it is here.

use super::advice::advice_panel;
use super::cards::cards_panel;
use super::desk::Desk;
use super::evidence::evidence_panel;
use super::map::map_panel;
use super::piece::piece;
use super::pinned::against_pinned;
use super::run_it::run_it;
use crate::estimate::Estimate;
use crate::scenario::Scenario;
use crate::web::export;
use crate::web::later::{SecondPart, on_change, second_part, when_here};
use yew::functional::Hook;
use yew::prelude::*;

/// Panels that stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Those at the end of the first column.
    First,
    /// Those at the end of the second.
    Second,
    /// The pinned run beside the present one.
    Pinned,
}

/// The panels. A door to the second part.
#[inline(never)]
fn panels(stretch: Stretch, desk: &Desk) -> Html {
    match stretch {
        Stretch::First => html! { <>{advice_panel(desk)}{evidence_panel(desk)}</> },
        Stretch::Second => html! { <>{map_panel(desk)}{cards_panel(desk)}{run_it(desk)}</> },
        Stretch::Pinned => against_pinned(desk),
    }
}

/// A kind of text that the answer is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Markdown with this link.
    Markdown(&'a str),
    /// JSON.
    Json,
    /// Comma-separated values.
    Csv,
}

/// The answer as a text. A door to the second part.
#[inline(never)]
pub fn exported(scenario: &Scenario, estimate: &Estimate, text: Text) -> String {
    match text {
        Text::Markdown(url) => export::markdown(scenario, estimate, url),
        Text::Json => export::json(estimate),
        Text::Csv => export::csv(estimate),
    }
}

/// Where the second part is; shown anew when that changes.
#[hook]
pub fn use_second_part() -> SecondPart {
    let seen = use_state_eq(second_part);
    let setter = seen.setter();
    // It is loaded when something asks for it; here one only waits.
    use_effect_with((), move |()| on_change(move |standing| setter.set(standing)));
    *seen
}

/// Two runs side by side; nothing while none is pinned.
pub fn pinned(desk: &Desk) -> Html {
    piece("pinned", desk, |desk, context| use_pinned(desk).run(context))
}

#[hook]
fn use_pinned(desk: &Desk) -> Html {
    let standing = use_second_part();
    match &desk.state.pinned {
        Some(_) => stretch(Stretch::Pinned, standing, desk),
        None => Html::default(),
    }
}

/// The panels, or their place until they are here. `second.js` loads the second part when a place comes near the screen.
pub fn stretch(stretch: Stretch, standing: SecondPart, desk: &Desk) -> Html {
    let names: &[&str] = match stretch {
        Stretch::First => &["What to change", "How we know"],
        Stretch::Second => &["Longest sequence × batch", "Cards", "Run it"],
        Stretch::Pinned => &["Against the pinned run"],
    };
    match standing {
        SecondPart::Here => panels(stretch, desk),
        SecondPart::Away => html! {
            for name in names {
                <section class="panel soon" aria-label={*name} aria-busy="true">
                    <h2>{name}</h2>
                    <second-part />
                </section>
            }
        },
        SecondPart::Missing => html! {
            for name in names {
                <section class="panel soon" aria-label={*name}>
                    <h2>{name}</h2>
                    <p class="note refusal">{"This could not be loaded: there is no network, or the page has changed since it was opened."}</p>
                    <button type="button" class="small" onclick={|_| when_here(|| ())}>{"Try again"}</button>
                </section>
            }
        },
    }
}
