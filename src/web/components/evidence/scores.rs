//! The measured runs in numbers: errors by source, stack and quantity.

use crate::scenario::Stack;
use crate::web::evidence::{Errors, Group, groups};
use crate::words::count;
use yew::prelude::*;

/// The tables.
pub fn scores() -> Html {
    html! {
        <>
            <div class="wide" tabindex="0" role="region" aria-label="Errors by source">
                <table class="scores" data-testid="scores">
                    <caption class="unseen">{"Predicted against measured"}</caption>
                    <thead>
                        <tr>
                            <th scope="col">{"measured"}</th><th scope="col">{"quantity"}</th><th scope="col">{"runs"}</th>
                            <th scope="col">{"mean error"}</th><th scope="col">{"within 0.5 %"}</th>
                            <th scope="col">{"worst"}</th>
                        </tr>
                    </thead>
                    {for groups().iter().filter(|group| !group.errors.is_empty()).map(body)}
                </table>
            </div>
            <details>
                <summary>{format!("Not modelled: {} of {} measured runs are refused", count(refused()), count(runs()))}</summary>
                <ul>
                    for (reason, n) in groups().iter().flat_map(|group| &group.refused) {
                        <li>{format!("{n} × {reason}")}</li>
                    }
                </ul>
            </details>
        </>
    }
}

fn runs() -> u64 {
    groups().iter().map(|group| group.runs as u64).sum()
}

fn refused() -> u64 {
    let reasons = groups().iter().flat_map(|group| &group.refused);
    reasons.map(|(_, n)| *n as u64).sum()
}

fn body(group: &Group) -> Html {
    let stack = group.stack.parse().map_or("", Stack::label);
    let row = |(i, errors): (usize, &Errors)| {
        html! {
            <tr key={errors.quantity.clone()}>
                if i == 0 {
                    <th scope="rowgroup" rowspan={group.errors.len().to_string()}>
                        <b>{stack}</b>{format!(": {}", group.name)}
                    </th>
                }
                <th scope="row">{&errors.quantity}</th>
                <td>{count(errors.runs as u64)}</td>
                <td>{percent(errors.mean)}</td>
                <td>{format!("{:.0} %", errors.within_half)}</td>
                <td>{signed(errors.worst)}</td>
            </tr>
        }
    };
    html! { <tbody>{for group.errors.iter().enumerate().map(row)}</tbody> }
}

fn percent(value: f64) -> String {
    format!("{value:.2} %")
}

fn signed(value: f64) -> String {
    let sign = match value {
        v if v < 0.0 => "−",
        v if v > 0.0 => "+",
        _ => "",
    };
    format!("{sign}{}", percent(value.abs()))
}
