//! Does it fit? One sentence and its number.

use crate::estimate::part;
use crate::estimate::{Estimate, Verdict as Fit};
use crate::scenario::Scenario;
use crate::web::state::{Standing, State};
use crate::words::size;
use yew::prelude::*;

/// What the verdict says.
struct Said {
    class: &'static str,
    sign: &'static str,
    head: String,
    /// What was looked at, and what came out.
    body: Html,
}

/// The verdict; announced to screen readers when it changes.
pub fn verdict(state: &State) -> Html {
    let said = say(state);
    html! {
        <div class={classes!("verdict", said.class)} data-testid="verdict" role="status" aria-live="polite"
            aria-atomic="true">
            <span class="sign" aria-hidden="true">{said.sign}</span>
            <h1>{said.head}</h1>
            <p>{said.body}</p>
        </div>
    }
}

fn say(state: &State) -> Said {
    match (&state.answer.standing, &state.answer.last) {
        (Standing::Refused(reason), _) => Said {
            class: "refused",
            sign: "?",
            head: "Not modelled yet".into(),
            body: html! { <>{reason}{"."}</> },
        },
        (_, Some(last)) => judge(&last.0, &last.1),
        (Standing::Awaited, None) => Said {
            class: "open",
            sign: "…",
            head: "One moment".into(),
            body: html! { "The rest of the page is loaded for this run." },
        },
        (_, None) => {
            let wrong: Vec<String> = state.all_problems().map(ToString::to_string).collect();
            Said {
                class: "refused",
                sign: "!",
                head: "No answer yet".into(),
                body: html! { <>{wrong.join("; ")}</> },
            }
        }
    }
}

fn judge(scenario: &Scenario, estimate: &Estimate) -> Said {
    let card = scenario.card().map(|card| card.name.as_str());
    let (Some(fit), Some(capacity), Some(card)) = (estimate.verdict, estimate.capacity_bytes, card) else {
        return Said {
            class: "open",
            sign: "⊖",
            head: format!("Needs {}", size(part::needed(estimate))),
            body: html! { "of a card (least capacity and CUDA context). Choose one for a verdict." },
        };
    };
    let (class, sign, head) = match fit {
        Fit::Fits => ("fits", "✓", format!("Fits on {card}")),
        Fit::Tight => ("tight", "≈", format!("Tight on {card}")),
        Fit::Exceeds => ("exceeds", "✕", format!("Does not fit on {card}")),
    };
    let room = estimate.headroom_bytes.unwrap_or(0);
    let margin = if room >= 0 { "to spare" } else { "over" };
    let body = html! {
        <>
            {"needs "}<b>{size(part::needed(estimate))}</b>
            <span class="which">{" (least capacity and CUDA context)"}</span>
            {format!(" of {} usable, ", size(capacity))}
            <b class="room">{size(room.unsigned_abs())}{" "}{margin}</b>
            if fit == Fit::Tight {
                {format!("; some runs need {}", size(part::needed_range(estimate)[1]))}
            }
        </>
    };
    Said {
        class,
        sign,
        head,
        body,
    }
}
