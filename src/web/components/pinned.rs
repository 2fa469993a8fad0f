//! The pinned run beside the present one: what was changed, and what that does part by part.

use super::desk::Desk;
use super::legend::swatch;
use crate::bytes::Bytes;
use crate::estimate::Estimate;
use crate::estimate::part::{Part, needed, parts};
use crate::scenario::Difference;
use crate::web::state::Action;
use yew::prelude::*;

/// The button that pins the present run.
pub fn pin_button(desk: &Desk) -> Html {
    let old = desk.state.answer.is_old();
    let onclick = desk.act.reform(|_: MouseEvent| Action::Pin);
    html! {
        <button type="button" class="small pin" data-testid="pin" {onclick} disabled={old}
            title="Keep this run to compare others with it">{"Pin to compare"}</button>
    }
}

/// One of an estimate's quantities.
type Sum = fn(&Estimate) -> u64;

/// Two runs side by side.
pub fn against_pinned(desk: &Desk) -> Html {
    let (Some(pinned), Some(now)) = (&desk.state.pinned, &desk.state.answer.last) else {
        return Html::default();
    };
    let changes = pinned.0.differences(&now.0);
    let back = {
        let run = Box::new(pinned.0.clone());
        desk.act.reform(move |_: MouseEvent| Action::Take(run.clone()))
    };
    let unpin = desk.act.reform(|_: MouseEvent| Action::Unpin);
    let sums: [(&str, Sum); 4] = [
        ("allocated", |estimate| estimate.allocated_bytes),
        ("reserved", |estimate| estimate.reserved_bytes),
        ("process", |estimate| estimate.process_bytes.expected),
        ("needed of the card", needed),
    ];
    html! {
        <section class="panel pinned" aria-labelledby="pinned-title">
            <h2 id="pinned-title">{"Against the pinned run"}</h2>
            <div class="pinned-tools">
                <button type="button" class="small" onclick={back} disabled={changes.is_empty()}>{"Go back to it"}</button>
                <button type="button" class="small" data-testid="unpin" onclick={unpin}>{"Unpin"}</button>
            </div>
            <p data-testid="changes">
                if changes.is_empty() {
                    {"Nothing is changed yet."}
                } else {
                    for change in &changes { {changed(change)} }
                }
            </p>
            <div class="wide" tabindex="0" role="region" aria-label="Differences by part">
            <table data-testid="pinned">
                <caption class="unseen">{"Memory of the pinned and of the present run"}</caption>
                <thead>
                    <tr>
                        <th scope="col"><span class="unseen">{"Part"}</span></th>
                        <th scope="col">{"pinned"}</th><th scope="col">{"now"}</th><th scope="col">{"difference"}</th>
                    </tr>
                </thead>
                <tbody>
                    for (name, bytes) in sums {
                        {row(html! { name }, bytes(&pinned.1), bytes(&now.1), true)}
                    }
                </tbody>
                <tbody>{for by_part(&pinned.1, &now.1).into_iter().map(|(part, from, to)| {
                    row(html! { <>{swatch(part)}{part.label()}</> }, from, to, false)
                })}</tbody>
            </table>
            </div>
        </section>
    }
}

fn changed(change: &Difference) -> Html {
    let shown = |text: &str| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text.to_owned()
        }
    };
    html! {
        <span class="change">
            {change.field.replace('_', " ")}{" "}<del>{shown(&change.from)}</del>{" → "}<ins>{shown(&change.to)}</ins>
        </span>
    }
}

/// The parts that either run has.
fn by_part(from: &Estimate, to: &Estimate) -> Vec<(Part, u64, u64)> {
    let (from, to) = (parts(from), parts(to));
    let bytes = |parts: &[(Part, u64)], part| {
        parts
            .iter()
            .find(|(p, _)| *p == part)
            .map_or(0, |(_, bytes)| *bytes)
    };
    Part::all()
        .map(|part| (part, bytes(&from, part), bytes(&to, part)))
        .filter(|(_, from, to)| from + to > 0)
        .collect()
}

fn row(name: Html, from: u64, to: u64, sum: bool) -> Html {
    let (sign, class) = match to.cmp(&from) {
        std::cmp::Ordering::Less => ("−", "less"),
        std::cmp::Ordering::Equal => ("", "same"),
        std::cmp::Ordering::Greater => ("+", "more"),
    };
    let difference = match to.abs_diff(from) {
        0 => "same".to_owned(),
        bytes => format!("{sign}{}", Bytes(bytes)),
    };
    html! {
        <tr class={classes!(sum.then_some("sum"))}>
            <th scope="row">{name}</th>
            <td class="size">{Bytes(from).to_string()}</td>
            <td class="size">{Bytes(to).to_string()}</td>
            <td class={classes!("size", class)}>{difference}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;
    use crate::scenario::Scenario;

    #[test]
    fn the_parts_of_both_runs_sum_to_their_processes() {
        let short = estimate(&Scenario::default()).unwrap();
        let long = estimate(&Scenario {
            seq: 4096,
            ..Scenario::default()
        })
        .unwrap();
        let rows = by_part(&short, &long);
        assert_eq!(
            rows.iter().map(|row| row.1).sum::<u64>(),
            short.process_bytes.expected
        );
        assert_eq!(
            rows.iter().map(|row| row.2).sum::<u64>(),
            long.process_bytes.expected
        );
    }
}
