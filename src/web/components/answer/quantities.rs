//! The four quantities, kept apart and named.

use crate::bytes::Bytes;
use crate::estimate::{Estimate, Verdict};
use crate::words::{count, gib1, params, size};
use yew::prelude::*;

/// The quantities, with allocated as far as it is known, and the moment of the peak.
pub fn quantities(estimate: &Estimate, allocated: u64) -> Html {
    let process = estimate.process_bytes;
    let range = format!(
        "what nvidia-smi shows; {} to {} GiB from run to run",
        gib1(process.low),
        gib1(process.high)
    );
    html! {
        <>
            <dl class="quantities">
                {quantity("allocated", "allocated", allocated, "peak of live tensors, torch’s max_\u{200b}memory_\u{200b}allocated")}
                {quantity("reserved", "reserved", estimate.reserved_bytes, "held by the caching allocator, max_\u{200b}memory_\u{200b}reserved")}
                {quantity("process", "process", process.expected, &range)}
                {quantity("least", "least capacity", estimate.least_capacity_bytes, "the least memory with which the allocator gets through")}
            </dl>
            <p class="peak">
                <b>{"Peak"}</b>{format!(" in step {}: {}", estimate.peak.step, estimate.peak.description)}
            </p>
            <p class="aside">
                {format!("{} of {} parameters trained", count(estimate.trainable_params), params(estimate.total_params))}
                if estimate.host_bytes > 0 {
                    {format!(" · host memory {}", size(estimate.host_bytes))}
                }
            </p>
            {warnings(estimate)}
        </>
    }
}

fn warnings(estimate: &Estimate) -> Html {
    let all: Vec<String> = given_back(estimate)
        .into_iter()
        .chain(estimate.warnings.clone())
        .collect();
    if all.is_empty() {
        return Html::default();
    }
    html! { <ul class="warnings">for warning in all { <li>{warning}</li> }</ul> }
}

/// A run that fits only because the allocator gives its spare cache back.
fn given_back(estimate: &Estimate) -> Option<String> {
    let fits = estimate
        .verdict
        .is_some_and(|verdict| verdict != Verdict::Exceeds);
    let beyond = estimate
        .process_bytes
        .expected
        .checked_sub(estimate.capacity_bytes?)?;
    (fits && beyond > 0).then(|| {
        format!(
            "on a larger card the process would take {}; on this one the allocator gives back {} of cache when \
             memory runs short, which costs time",
            size(estimate.process_bytes.expected),
            size(beyond)
        )
    })
}

fn quantity(id: &'static str, name: &'static str, bytes: u64, note: &str) -> Html {
    let exact = format!("{} bytes", count(bytes));
    let text = Bytes(bytes).to_string();
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    html! {
        <div class={id}>
            <dt>{name}</dt>
            <dd>
                <data data-testid={id} value={bytes.to_string()} title={exact}>{number}{" "}<small>{unit}</small></data>
                <p class="note">{note}</p>
            </dd>
        </div>
    }
}
