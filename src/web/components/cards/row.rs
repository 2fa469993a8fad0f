//! One card of the table.

use crate::advise::solve::CardFit;
use crate::bytes::Bytes;
use crate::estimate::Verdict;
use crate::words::gib1;
use yew::prelude::*;

/// The sign and the word of a verdict, with its class.
pub fn verdict(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Fits => ("✓", "fits", "fits"),
        Verdict::Tight => ("≈", "tight", "tight"),
        Verdict::Exceeds => ("✕", "no", "exceeds"),
    }
}

/// Bytes to spare with a sign, in GiB.
pub fn spare(bytes: i64) -> String {
    let sign = if bytes < 0 { "−" } else { "+" };
    format!("{sign}{}", gib1(bytes.unsigned_abs()))
}

/// What the run needs of a card, as a share of what the card has, at most 1.
fn load(card: &CardFit) -> f64 {
    let needed = card.usable_bytes as f64 - card.headroom_bytes as f64;
    (needed / card.usable_bytes.max(1) as f64).clamp(0.0, 1.0)
}

/// One card.
pub fn row(
    card: &CardFit,
    own: bool,
    cheapest: bool,
    compared: bool,
    full: bool,
    choose: &Callback<&'static str>,
    compare: &Callback<&'static str>,
) -> Html {
    let slug = card.gpu;
    let (sign, word, class) = verdict(card.verdict);
    let price = match &card.offer {
        Some(offer) => {
            let cards = match offer.gpus {
                1 => String::new(),
                n => format!(", {n} cards"),
            };
            html! {
                <td class="price" title={format!("{}, read {}", offer.instance, offer.date)}>
                    <b>{format!("{:.2}", offer.usd_per_hour)}</b>
                    <span class="seller">{format!("{}{cards}", offer.cloud)}</span>
                </td>
            }
        }
        None => html! { <td class="price"><span aria-label="no price known">{"–"}</span></td> },
    };
    html! {
        <tr key={slug} class={classes!(class, own.then_some("own"))}>
            <td class="pick">
                <input type="checkbox" checked={compared} disabled={full && !compared}
                    aria-label={format!("Compare {}", card.name)} onchange={compare.reform(move |_| slug)} />
            </td>
            <th scope="row">
                <button type="button" class="link" aria-current={own.then_some("true")}
                    onclick={choose.reform(move |_| slug)}>{card.name}</button>
                if cheapest { <em class="mark">{"cheapest that fits"}</em> }
            </th>
            <td class="verdict-cell"><span aria-hidden="true">{sign}{" "}</span>{word}</td>
            <td class="size">{spare(card.headroom_bytes)}<span class="unit">{" GiB"}</span></td>
            <td class="memory">
                <span class="size">{gib1(card.usable_bytes)}<span class="unit">{" GiB"}</span></span>
                <svg class="mini" aria-hidden="true">
                    <title>{Bytes(card.usable_bytes).to_string()}</title>
                    <rect class="trough" width="100%" height="100%" />
                    <rect class="full" width={format!("{:.1}%", load(card) * 100.0)} height="100%" />
                </svg>
            </td>
            {price}
        </tr>
    }
}
