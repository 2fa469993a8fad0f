//! What is alive at one moment, the largest first.

use crate::bytes::Bytes;
use crate::estimate::part::Part;
use crate::estimate::{Tensors, Timeline};
use crate::web::components::legend::swatch;
use crate::words::{count, size};
use yew::prelude::*;

/// So many kinds of tensors are named; the rest is summed up.
const NAMED: usize = 6;

/// A moment in a sentence.
pub fn told(timeline: &Timeline, at: usize) -> String {
    let total: u64 = timeline.alive(at).iter().map(|tensors| tensors.bytes).sum();
    let moment = timeline.moment(at);
    let description = moment.map(|moment| moment.description).unwrap_or_default();
    format!("{} allocated, {description}", size(total))
}

/// The moment and its tensors.
pub fn readout(timeline: &Timeline, at: usize) -> Html {
    let alive = timeline.alive(at);
    let total: u64 = alive.iter().map(|tensors| tensors.bytes).sum();
    let (named, rest) = alive.split_at(alive.len().min(NAMED));
    let rest_bytes: u64 = rest.iter().map(|tensors| tensors.bytes).sum();
    let moment = timeline.moment(at);
    html! {
        <div class="readout">
            <p>
                <b data-testid="moment-allocated">{size(total)}</b>
                {if at == timeline.peak() { " at the peak: " } else { " allocated: " }}
                if let Some(moment) = &moment {
                    {&moment.description}
                    <span class="change">
                        {format!(" {}{} {}", if moment.change < 0 { "−" } else { "+" },
                            Bytes(moment.change.unsigned_abs()), moment.op)}
                    </span>
                }
            </p>
            <table data-testid="moment-tensors">
                <caption class="unseen">{"The largest tensors that are alive at this moment"}</caption>
                <thead class="unseen">
                    <tr><th scope="col">{"Tensors"}</th><th scope="col">{"Size"}</th></tr>
                </thead>
                <tbody>
                    for tensors in named { {row(tensors)} }
                    for _ in named.len()..NAMED { <tr aria-hidden="true"><td colspan="2">{"\u{a0}"}</td></tr> }
                    <tr class="rest">
                        <th scope="row">{format!("{} smaller kinds", count(rest.len() as u64))}</th>
                        <td class="size">{Bytes(rest_bytes).to_string()}</td>
                    </tr>
                </tbody>
            </table>
        </div>
    }
}

fn row(tensors: &Tensors) -> Html {
    let part = Part::Live(tensors.category);
    let made = match tensors.count {
        1 => tensors.op.to_owned(),
        n => format!("{} × {}", count(n as u64), tensors.op),
    };
    let of = match tensors.module {
        "" => String::new(),
        module => format!(" in {module}"),
    };
    html! {
        <tr>
            <th scope="row" title={part.note()}>
                {swatch(part)}{part.label()}<span class="kind">{made}{of}</span>
            </th>
            <td class="size">{Bytes(tensors.bytes).to_string()}</td>
        </tr>
    }
}
