//! The largest values that fit, in numbers.

use crate::advise::solve::{Bound, Largest, Quantity};
use crate::scenario::{Method, Scenario};
use crate::web::components::desk::Desk;
use crate::web::components::job::use_job;
use crate::web::components::piece::{Show, piece};
use crate::web::jobs::Job;
use crate::web::state::Action;
use crate::words::{count, size};
use yew::functional::Hook;
use yew::prelude::*;

/// One answer a quantity; each is asked for anew only when something else than itself has changed.
pub fn largest_list(desk: &Desk) -> Html {
    let answered = desk.state.answer.last.as_ref();
    let has_adapters = answered.is_some_and(|last| last.0.method != Method::Full);
    let shown = |quantity: &Quantity| *quantity != Quantity::Rank || has_adapters;
    html! {
        <ul class="largest" data-testid="largest">
            {for Quantity::ALL.iter().copied().filter(shown).map(|quantity| largest_of(desk, quantity))}
        </ul>
    }
}

fn largest_of(desk: &Desk, quantity: Quantity) -> Html {
    let show: Show = match quantity {
        Quantity::Seq => |desk, context| use_largest(desk, Quantity::Seq).run(context),
        Quantity::Batch => |desk, context| use_largest(desk, Quantity::Batch).run(context),
        Quantity::Rank => |desk, context| use_largest(desk, Quantity::Rank).run(context),
    };
    piece(quantity.field(), desk, show)
}

#[hook]
fn use_largest(desk: &Desk, quantity: Quantity) -> Html {
    let scenario = desk.state.answered();
    let run = scenario.as_ref().filter(|run| run.gpu.is_some());
    let job = run.map(|run| Job::Largest(quantity, Box::new(quantity.set(run, 1))));
    let answer = use_job::<Result<Largest, String>>(job);
    let (value, rest) = match (run, answer.as_deref()) {
        (None, _) => (None, "choose a card".into()),
        (_, Some(Ok(answer))) => (answer.value, why(answer)),
        (_, Some(Err(reason))) => (None, reason.clone()),
        (_, None) => (None, "…".into()),
    };
    let take = value.zip(scenario.as_ref()).map(|(value, scenario)| {
        let run = Box::new(quantity.set(scenario, value));
        desk.act.reform(move |_: MouseEvent| Action::Take(run.clone()))
    });
    let same = value.is_some() && value == scenario.as_ref().map(|scenario| quantity.of(scenario));
    html! {
        <li>
            <span class="what">{quantity.label()}{given(quantity, scenario.as_ref())}</span>
            <b data-testid={format!("largest-{}", quantity.field())}>
                {value.map_or_else(|| "–".to_owned(), count)}
            </b>
            <span class="note">{rest}</span>
            <button type="button" class="small" disabled={take.is_none() || same} onclick={take}
                aria-label={format!("Use the {}", quantity.label())}>{"use"}</button>
        </li>
    }
}

/// What stays as it is while the quantity is stretched.
fn given(quantity: Quantity, scenario: Option<&Scenario>) -> String {
    let Some(scenario) = scenario else {
        return String::new();
    };
    match quantity {
        Quantity::Seq => format!(" at batch {}", count(scenario.batch)),
        Quantity::Batch => format!(" at {} tokens", count(scenario.seq)),
        Quantity::Rank => String::new(),
    }
}

fn why(answer: &Largest) -> String {
    let spare = answer
        .headroom_bytes
        .map(|bytes| format!("{} to spare", size(bytes.unsigned_abs())));
    let limit = match &answer.bound {
        Bound::Memory => None,
        Bound::Limit(limit) => Some(limit.clone()),
    };
    match answer.value {
        None => "not even 1 fits".into(),
        Some(_) => [limit, spare, answer.note.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
    }
}
