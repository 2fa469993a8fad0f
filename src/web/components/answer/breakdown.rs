//! What is alive at the peak, part by part.

use crate::bytes::Bytes;
use crate::estimate::part::{Part, needed, parts};
use crate::web::components::desk::Desk;
use crate::web::components::legend::swatch;
use crate::web::components::piece::piece;
use crate::words::size;
use yew::functional::Hook;
use yew::prelude::*;

/// The breakdown as a table; the note of the row under the pointer or the focus stands below it.
pub fn breakdown(desk: &Desk) -> Html {
    piece("breakdown", desk, |desk, context| {
        use_breakdown(desk).run(context)
    })
}

#[hook]
fn use_breakdown(desk: &Desk) -> Html {
    let looked_at = use_state_eq(|| None::<Part>);
    let answer = &desk.state.answer;
    let old = answer.is_old().then_some("old");
    let Some(last) = &answer.last else {
        return Html::default();
    };
    let estimate = &last.1;
    let parts = parts(estimate);
    let most = parts.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let row = |(part, bytes): &(Part, u64)| {
        let part = *part;
        let look = |to: Option<Part>| {
            let looked_at = looked_at.clone();
            move || looked_at.set(to)
        };
        let (enter, focus, leave, blur) = (look(Some(part)), look(Some(part)), look(None), look(None));
        let share = *bytes as f64 / most.max(1) as f64;
        html! {
            <tr key={part.label()} tabindex="0" class={classes!((*looked_at == Some(part)).then_some("looked-at"))}
                onmouseenter={Callback::from(move |_| enter())} onmouseleave={Callback::from(move |_| leave())}
                onfocus={Callback::from(move |_| focus())} onblur={Callback::from(move |_| blur())}>
                <th scope="row">{swatch(part)}{part.label()}<span class="unseen">{": "}{part.note()}</span></th>
                <td class="share" aria-hidden="true">
                    <svg><rect class={part.class()} width={format!("{:.2}%", share * 100.0)} height="100%" /></svg>
                </td>
                <td class="size">{Bytes(*bytes).to_string()}</td>
            </tr>
        }
    };
    let rows = |of: fn(Part) -> bool| {
        parts
            .iter()
            .filter(|(part, _)| of(*part))
            .map(row)
            .collect::<Html>()
    };
    let sum = |name: &'static str, bytes: u64| {
        html! {
            <tr class="sum">
                <th scope="row" colspan="2">{name}</th>
                <td class="size">{Bytes(bytes).to_string()}</td>
            </tr>
        }
    };
    let note = match *looked_at {
        Some(part) => format!("{}: {}", part.label(), part.note()),
        None => format!(
            "What is alive when allocated peaks at {}.",
            size(estimate.allocated_bytes)
        ),
    };
    html! {
        <section class={classes!("panel", "breakdown", old)} aria-labelledby="breakdown-title">
            <h2 id="breakdown-title">{"At the peak"}</h2>
            <table>
                <caption class="unseen">{"Memory at the peak by category"}</caption>
                <thead class="unseen">
                    <tr><th scope="col">{"Category"}</th><td></td><th scope="col">{"Size"}</th></tr>
                </thead>
                <tbody>{rows(|part| matches!(part, Part::Live(_)))}</tbody>
                <tbody>
                    {sum("allocated", estimate.allocated_bytes)}
                    {rows(|part| part == Part::Gaps)}
                    {sum("least capacity", estimate.least_capacity_bytes)}
                    {rows(|part| part == Part::Context)}
                    {sum("needed of the card", needed(estimate))}
                    {rows(|part| part == Part::Cache)}
                    {sum("process", estimate.process_bytes.expected)}
                </tbody>
            </table>
            <p class="note look" aria-hidden="true">{note}</p>
        </section>
    }
}
