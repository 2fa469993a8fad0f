//! The load line: the parts of the run stacked up against the card's memory.

use crate::bytes::Bytes;
use crate::catalog;
use crate::estimate::Estimate;
use crate::estimate::part::{Part, needed, needed_range, parts};
use crate::scenario::Scenario;
use crate::web::chart::{gib_ticks, tick_label};
use crate::words::{gib1, size};
use yew::prelude::*;

/// A place on the gauge, in percent of its width.
struct Scale(f64);

impl Scale {
    fn at(&self, bytes: u64) -> String {
        format!("{:.2}%", self.share(bytes) * 100.0)
    }

    /// From there to the right end.
    fn rest(&self, bytes: u64) -> String {
        format!("{:.2}%", (1.0 - self.share(bytes)) * 100.0)
    }

    fn share(&self, bytes: u64) -> f64 {
        Bytes(bytes).gib() / self.0
    }
}

/// The gauge.
pub fn gauge(scenario: &Scenario, estimate: &Estimate) -> Html {
    let process = estimate.process_bytes;
    let most = estimate.capacity_bytes.unwrap_or(0).max(process.high).max(1);
    let scale = Scale(Bytes(most).gib() * 1.03);

    let mut below = 0;
    let mut bars = Vec::new();
    for (part, bytes) in parts(estimate) {
        // What is not needed is drawn thin.
        let (y, height) = if part == Part::Cache {
            ("36", "10")
        } else {
            ("26", "30")
        };
        bars.push(html! {
            <rect class={part.class()} x={scale.at(below)} {y} width={scale.at(bytes)} {height}>
                <title>{format!("{}: {}", part.label(), Bytes(bytes))}</title>
            </rect>
        });
        below += bytes;
    }
    let tick = |gib: f64| {
        let x = format!("{:.2}%", gib / scale.0 * 100.0);
        let anchor = match gib / scale.0 {
            0.0 => "start",
            share if share > 0.97 => "end",
            _ => "middle",
        };
        html! {
            <>
                <line class="ink-grid" x1={x.clone()} x2={x.clone()} y1="56" y2="61" />
                <text class="ink-muted" {x} y="73" text-anchor={anchor}>{tick_label(gib)}</text>
            </>
        }
    };
    let [low, high] = needed_range(estimate).map(|bytes| scale.at(bytes));
    html! {
        <svg class="gauge" role="img" aria-label={told(scenario, estimate)}>
            <rect class="trough" x="0" y="26" width="100%" height="30" />
            if let Some(capacity) = estimate.capacity_bytes {
                <rect class="beyond" x={scale.at(capacity)} y="26" width={scale.rest(capacity)} height="30" />
            }
            {for bars}
            <g class="whisker">
                <line x1={low.clone()} x2={high.clone()} y1="41" y2="41" />
                <line x1={low.clone()} x2={low} y1="36" y2="46" />
                <line x1={high.clone()} x2={high} y1="36" y2="46" />
            </g>
            {for gib_ticks(scale.0, 6).into_iter().map(tick)}
            if let Some(capacity) = estimate.capacity_bytes {
                {load_line(&scale, capacity)}
            }
        </svg>
    }
}

/// The card's memory as a Plimsoll line.
fn load_line(scale: &Scale, capacity: u64) -> Html {
    let x = scale.at(capacity);
    let label = format!("{} GiB usable", gib1(capacity));
    let label = if scale.share(capacity) > 0.5 {
        html! { <text x={x.clone()} dx="-18" y="15" text-anchor="end">{label}</text> }
    } else {
        html! { <text x={x.clone()} dx="18" y="15">{label}</text> }
    };
    html! {
        <g class="load-line">
            <line x1={x.clone()} x2={x.clone()} y1="10" y2="60" />
            <circle cx={x.clone()} cy="10" r="7" />
            <svg {x} y="0" overflow="visible"><line x1="-12" x2="12" y1="10" y2="10" /></svg>
            {label}
        </g>
    }
}

/// The gauge in words.
fn told(scenario: &Scenario, estimate: &Estimate) -> String {
    let [low, high] = needed_range(estimate);
    let needed = format!(
        "Needs {}, from {} to {}",
        size(needed(estimate)),
        size(low),
        size(high)
    );
    let card = scenario
        .gpu
        .as_deref()
        .map(|slug| catalog::gpu(slug).map_or(slug, |card| card.name.as_str()));
    match (card, estimate.capacity_bytes) {
        (Some(card), Some(capacity)) => format!("{needed}; {card} has {} usable", size(capacity)),
        _ => needed,
    }
}
