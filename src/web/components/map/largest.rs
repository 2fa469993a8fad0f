//! The largest values that fit, in numbers.

use crate::advise::solve::{Bound, Largest, Quantity};
use crate::scenario::{Method, Scenario};
use crate::web::components::desk::Desk;
use crate::web::components::job::use_job;
use crate::web::jobs::Job;
use crate::web::state::Action;
use crate::web::words::{count, size};
use yew::prelude::*;

/// One answer a quantity; each is asked for anew only when something else than itself has changed.
#[component]
pub fn LargestList(desk: &Desk) -> Html {
    let scenario = desk.state.answered();
    let shown = |quantity: Quantity| {
        quantity != Quantity::Rank || scenario.as_ref().is_some_and(|s| s.method != Method::Full)
    };
    html! {
        <ul class="largest" data-testid="largest">
            for quantity in Quantity::ALL.iter().copied().filter(|quantity| shown(*quantity)) {
                <LargestOf key={quantity.field()} {quantity} scenario={scenario.clone()} act={desk.act.clone()} />
            }
        </ul>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct Asked {
    quantity: Quantity,
    scenario: Option<Scenario>,
    act: Callback<Action>,
}

#[component]
fn LargestOf(asked: &Asked) -> Html {
    let quantity = asked.quantity;
    let run = asked.scenario.as_ref().filter(|run| run.gpu.is_some());
    let job = run.map(|run| Job::Largest(quantity, Box::new(quantity.set(run, 1))));
    let answer = use_job::<Result<Largest, String>>(job);
    let (value, rest) = match (run, answer.as_deref()) {
        (None, _) => (None, "choose a card".into()),
        (_, Some(Ok(answer))) => (answer.value, why(answer)),
        (_, Some(Err(reason))) => (None, reason.clone()),
        (_, None) => (None, "…".into()),
    };
    let take = value.zip(asked.scenario.as_ref()).map(|(value, scenario)| {
        let run = Box::new(quantity.set(scenario, value));
        asked.act.reform(move |_: MouseEvent| Action::Take(run.clone()))
    });
    let same = value.is_some() && value == asked.scenario.as_ref().map(|scenario| quantity.of(scenario));
    html! {
        <li>
            <span class="what">{quantity.label()}{given(quantity, asked.scenario.as_ref())}</span>
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
