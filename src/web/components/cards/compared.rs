//! Some cards side by side, on one scale.

use super::row::{spare, verdict};
use crate::advise::solve::CardFit;
use crate::words::gib1;
use yew::prelude::*;

/// The cards that were chosen for it, as bars of what the run needs against what each has.
pub fn compared(cards: &[CardFit], chosen: &[&'static str], drop: &Callback<&'static str>) -> Html {
    let shown: Vec<&CardFit> = chosen
        .iter()
        .filter_map(|slug| cards.iter().find(|card| card.gpu == *slug))
        .collect();
    if shown.is_empty() {
        return html! {
            <p class="note compared">{"Tick cards to see them side by side."}</p>
        };
    }
    let needed = |card: &CardFit| {
        (card.usable_bytes as i64)
            .saturating_sub(card.headroom_bytes)
            .unsigned_abs()
    };
    let end = shown
        .iter()
        .map(|card| card.usable_bytes.max(needed(card)))
        .max()
        .unwrap_or(1);
    let share = |bytes: u64| format!("{:.2}%", bytes as f64 / end.max(1) as f64 * 98.0);
    let bar = |card: &&CardFit| {
        let (slug, (sign, word, class)) = (card.gpu, verdict(card.verdict));
        html! {
            <li key={slug} class={class}>
                <span class="name">{card.name}</span>
                <svg class="beside" aria-hidden="true">
                    <rect class="trough" width={share(card.usable_bytes)} y="4" height="16" />
                    <rect class="full" width={share(needed(card))} y="4" height="16" />
                    <line class="edge" x1={share(card.usable_bytes)} x2={share(card.usable_bytes)} y1="0" y2="24" />
                </svg>
                <span class="says">{format!("{sign} {word}, {} GiB of {}", spare(card.headroom_bytes), gib1(card.usable_bytes))}</span>
                <button type="button" aria-label={format!("Compare {} no longer", card.name)}
                    onclick={drop.reform(move |_| slug)}>{"×"}</button>
            </li>
        }
    };
    html! { <ul class="compared" aria-label="Cards side by side">{for shown.iter().map(bar)}</ul> }
}
