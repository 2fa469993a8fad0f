//! Memory by quantization: the chart, to look at and to choose from.

use super::desk::Desk;
use super::keep::keep;
use super::legend::legend;
use super::piece::piece;
use super::rows::use_rows;
use crate::web::browser::use_width;
use crate::web::chart::{QuantChart, shapes};
use crate::web::compare::Row;
use crate::web::state::{Action, Setting, Standing};
use crate::words::size;
use yew::functional::Hook;
use yew::prelude::*;

/// Laid out for this width until the real one is known, in pixels.
const FIRST_WIDTH: u32 = 640;

/// The chart and its legend. The rows are computed after the answer is on screen; until then the earlier ones stand.
pub fn quant_panel(desk: &Desk) -> Html {
    piece("quant", desk, |desk, context| use_quant_panel(desk).run(context))
}

#[hook]
fn use_quant_panel(desk: &Desk) -> Html {
    let place = use_node_ref();
    let width = use_width(&place);
    // While a field is wrong the chart stays with the last good scenario, as the answer does.
    let answer = &desk.state.answer;
    let scenario = match (&answer.standing, &answer.last) {
        (Standing::Overtaken | Standing::Awaited, Some(last)) => last.0.clone(),
        _ => desk.state.scenario.clone(),
    };
    let rows = use_rows(&scenario, &desk.state.answer);
    let chart = use_memo(
        (rows, scenario.weights, scenario.gpu.clone()),
        |(rows, chosen, _)| QuantChart {
            rows: rows.as_ref().clone(),
            chosen: *chosen,
            card: scenario
                .card()
                .map(|card| (card.name.clone(), card.usable_bytes())),
        },
    );
    let picture = use_memo((chart.clone(), width), |(chart, width)| {
        chart.draw(if *width == 0 { FIRST_WIDTH } else { *width })
    });
    let old = (desk.state.answer.standing == Standing::Overtaken).then_some("old");
    let choose = {
        let act = desk.act.clone();
        Callback::from(move |slug: &'static str| act.emit(Action::Choose(Setting::Weights, slug.into())))
    };
    html! {
        <section class={classes!("panel", "quant", old)} aria-labelledby="quant-title">
            <h2 id="quant-title">{"Memory by quantization"}</h2>
            {keep(&place, "quantization")}
            <p class="note">{"What the run needs of the card in GiB, for each format of the base weights. Choose one."}</p>
            <div class="chart" ref={place} data-testid="quant-chart">
                <svg viewBox={format!("0 0 {} {}", picture.width, picture.height)} height={picture.height.to_string()}
                    width="100%" role="radiogroup" aria-labelledby="quant-title">
                    <g aria-hidden="true">{shapes(picture.group(0))}</g>
                    for (i, row) in chart.rows.iter().enumerate() {
                        <g key={row.format.slug()} class={classes!("bar", row.load.is_err().then_some("refused"))}
                            role="radio" aria-checked={(row.format == chart.chosen).to_string()} aria-label={told(row)}
                            aria-disabled={row.load.is_err().then_some("true")}
                            data-value={row.format.slug()}
                            tabindex={if row.format == chart.chosen { "0" } else { "-1" }}
                            onclick={choose_row(row, &choose)} onkeydown={move_on(i, &chart, &choose)}>
                            {shapes(picture.group(i + 1))}
                        </g>
                    }
                    <g class="frame" aria-hidden="true">{shapes(picture.group(chart.rows.len() + 1))}</g>
                </svg>
            </div>
            {legend(&chart.visible_parts())}
        </section>
    }
}

fn choose_row(row: &Row, choose: &Callback<&'static str>) -> Option<Callback<MouseEvent>> {
    let slug = row.format.slug();
    row.load.is_ok().then(|| choose.reform(move |_| slug))
}

/// Arrow keys choose the next bar that can be chosen, as in any group of radio buttons.
fn move_on(i: usize, chart: &QuantChart, choose: &Callback<&'static str>) -> Callback<KeyboardEvent> {
    let before = chart.rows[..i]
        .iter()
        .rfind(|row| row.load.is_ok())
        .map(|row| row.format.slug());
    let after = chart.rows[i + 1..]
        .iter()
        .find(|row| row.load.is_ok())
        .map(|row| row.format.slug());
    let choose = choose.clone();
    Callback::from(move |event: KeyboardEvent| {
        let to = match event.key().as_str() {
            "ArrowUp" | "ArrowLeft" => before,
            "ArrowDown" | "ArrowRight" => after,
            _ => return,
        };
        event.prevent_default();
        let Some(slug) = to else { return };
        choose.emit(slug);
        let bar = gloo::utils::document().query_selector(&format!(".bar[data-value='{slug}']"));
        if let Ok(Some(bar)) = bar {
            use wasm_bindgen::JsCast;
            let _ = bar.unchecked_into::<web_sys::SvgElement>().focus();
        }
    })
}

/// A row in words.
fn told(row: &Row) -> String {
    match &row.load {
        Ok(load) => format!("{}: needs {}", row.format.label(), size(load.needed[1])),
        Err(reason) => format!("{}: {reason}", row.format.label()),
    }
}
