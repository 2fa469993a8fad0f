//! The panel: what fits best, the table, the cards side by side.

use super::compared::compared;
use super::row::row;
use super::tools::{heading, tools};
use crate::advise::solve::{CardFit, cheapest_card, smallest_card};
use crate::catalog;
use crate::estimate::{Room, Verdict};
use crate::web::card_table::{Look, SortBy};
use crate::web::components::desk::Desk;
use crate::web::components::job::use_job;
use crate::web::components::piece::piece;
use crate::web::jobs::{Job, OnCards};
use crate::web::state::Action;
use yew::functional::Hook;
use yew::prelude::*;

/// More cards than this cannot be told apart side by side.
const MOST_COMPARED: usize = 6;

/// The run on every card. The cards are judged on another thread.
pub fn cards_panel(desk: &Desk) -> Html {
    piece("cards", desk, |desk, context| use_cards_panel(desk).run(context))
}

#[hook]
fn use_cards_panel(desk: &Desk) -> Html {
    let job = desk.state.answered().map(|run| Job::Cards(Box::new(run)));
    let judged = use_job::<OnCards>(job);
    let cards = use_memo(judged, |judged| {
        let fit = |(slug, verdict, headroom): &(String, Verdict, i64)| {
            let (verdict, headroom) = (*verdict, *headroom);
            Some(CardFit::of(catalog::gpu(slug)?, Room { verdict, headroom }))
        };
        judged
            .iter()
            .flat_map(|judged| judged.iter().filter_map(fit))
            .collect::<Vec<_>>()
    });
    let look = use_state_eq(Look::default);
    let chosen = use_state_eq(Vec::<&'static str>::new);
    let set = {
        let look = look.clone();
        use_callback((), move |to: Look, ()| look.set(to))
    };
    let choose = desk
        .act
        .reform(|slug: &'static str| Action::Card(Some(slug.to_owned())));
    let compare = {
        let chosen = chosen.clone();
        Callback::from(move |slug: &'static str| {
            let mut now = (*chosen).clone();
            match now.iter().position(|other| *other == slug) {
                Some(place) => drop(now.remove(place)),
                None => now.push(slug),
            }
            chosen.set(now);
        })
    };
    let cards = cards.as_slice();
    let shown = look.of(cards);
    let cheapest = cheapest_card(cards).map(|card| card.gpu);
    let own = desk.state.scenario.gpu.as_deref();
    let old = desk.state.answer.is_old().then_some("old");
    let full = chosen.len() >= MOST_COMPARED;
    html! {
        <section class={classes!("panel", "cards", old)} aria-labelledby="cards-title">
            <h2 id="cards-title">{"Cards"}</h2>
            {summary(cards, &choose)}
            {tools(&look, &set, shown.len(), cards.len())}
            <div class="scroll" tabindex="0" role="region" aria-label="Table of cards">
                <table data-testid="cards">
                    <caption class="unseen">{"The run on every card"}</caption>
                    <thead>
                        <tr>
                            <td><span class="unseen">{"Compare"}</span></td>
                            {heading(&look, &set, SortBy::Name, "Card")}
                            {heading(&look, &set, SortBy::Best, "Verdict")}
                            {heading(&look, &set, SortBy::Headroom, "To spare")}
                            {heading(&look, &set, SortBy::Memory, "Of usable")}
                            {heading(&look, &set, SortBy::Price, "$ an hour")}
                        </tr>
                    </thead>
                    <tbody>
                        for card in shown {
                            {row(card, own == Some(card.gpu), cheapest == Some(card.gpu),
                                chosen.contains(&card.gpu), full, &choose, &compare)}
                        }
                    </tbody>
                </table>
            </div>
            {compared(cards, &chosen, &compare)}
            <p class="note">{caveat()}</p>
        </section>
    }
}

/// What most people look for: how many cards fit, which is the cheapest and which the smallest.
fn summary(cards: &[CardFit], choose: &Callback<&'static str>) -> Html {
    let fit = cards.iter().filter(|card| card.verdict == Verdict::Fits).count();
    let pick = |card: &CardFit| {
        let slug = card.gpu;
        html! { <button type="button" class="link" onclick={choose.reform(move |_| slug)}>{card.name}</button> }
    };
    html! {
        <p class="summary" data-testid="cards-summary">
            {format!("Fits {fit} of {} cards.", cards.len())}
            if let Some(card) = cheapest_card(cards) {
                {" Cheapest by the hour: "}{pick(card)}
                if let Some(offer) = &card.offer {
                    {format!(", ${:.2} at {}.", offer.usd_per_hour, offer.cloud)}
                }
            }
            if let Some(card) = smallest_card(cards) {
                {" Smallest: "}{pick(card)}{"."}
            }
        </p>
    }
}

/// Where the prices come from, and what they leave out.
fn caveat() -> String {
    let days = || {
        catalog::prices()
            .iter()
            .map(|price| price.date.as_str())
            .filter(|date| date.len() > 4)
    };
    let (first, last) = (days().min().unwrap_or_default(), days().max().unwrap_or_default());
    let other = catalog::gpus()
        .iter()
        .filter(|gpu| gpu.compute_capability.is_none())
        .count();
    format!(
        "Prices: the cheapest instance with the card, whole, on demand, in US dollars, as sellers listed them between \
         {first} and {last} or on a day of that year that is not known; disks, traffic and taxes not included, and \
         marketplaces change by the hour. {other} cards of AMD and Intel are left out: their kernels are not known."
    )
}
