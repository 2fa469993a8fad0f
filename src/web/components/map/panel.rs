//! The panel: the map and the answers below it.

use super::cells::cells;
use super::largest::largest_list;
use crate::web::browser::use_width;
use crate::web::chart::MapChart;
use crate::web::components::desk::Desk;
use crate::web::components::job::use_job;
use crate::web::components::keep::keep;
use crate::web::components::piece::piece;
use crate::web::grid::{Map, blank, key};
use crate::web::jobs::Job;
use crate::web::state::Action;
use yew::functional::Hook;
use yew::prelude::*;

/// Laid out for this width until the real one is known, in pixels.
const FIRST_WIDTH: u32 = 640;

/// The map is filled on another thread; moving along its axes does not fill it anew.
pub fn map_panel(desk: &Desk) -> Html {
    piece("map", desk, |desk, context| use_map_panel(desk).run(context))
}

#[hook]
fn use_map_panel(desk: &Desk) -> Html {
    let place = use_node_ref();
    let width = match use_width(&place) {
        0 => FIRST_WIDTH,
        width => width,
    };
    let scenario = desk.state.answered();
    let job = scenario.as_ref().map(|run| Job::Map(Box::new(key(run))));
    let map = use_job::<Map>(job);
    let point = scenario
        .as_ref()
        .map(|scenario| (scenario.batch, scenario.seq))
        .unwrap_or_default();
    let usable = scenario
        .as_ref()
        .and_then(|s| s.card())
        .map(|card| card.usable_bytes());
    let chart = use_memo((map, point, usable), |(map, point, usable)| MapChart {
        map: map.as_deref().cloned().unwrap_or_else(blank),
        point: *point,
        usable: *usable,
    });
    let picture = use_memo((chart.clone(), width), |(chart, width)| chart.draw(*width));
    let choose = {
        let scenario = scenario.clone();
        desk.act.reform(move |(batch, seq): (u64, u64)| {
            let mut run = scenario.clone().unwrap_or_default();
            (run.batch, run.seq) = (batch, seq);
            Action::Take(Box::new(run))
        })
    };
    let old = desk.state.answer.is_old().then_some("old");
    html! {
        <section class={classes!("panel", "map", old)} aria-labelledby="map-title">
            <h2 id="map-title">{"Longest sequence × batch"}</h2>
            {keep(&place, "map")}
            <p class="note">
                {"Live tensors at the peak in GiB (allocated). The line is the frontier of what fits the card, judged by \
                  what the allocator needs; the frame or ring is this run. Choose a cell."}
            </p>
            <div class="chart" ref={place} data-testid="map">{cells(&chart, &picture, &choose)}</div>
            <ul class="legend" aria-label="Colours">
                for (class, name) in [("cell cell-1", "fits, darker with less to spare"), ("cell cell-tight", "tight"),
                    ("cell cell-over", "does not fit"), ("cell cell-refused", "not accepted")] {
                    <li>
                        <svg class="swatch" viewBox="0 0 12 12" aria-hidden="true"><rect {class} width="12" height="12" /></svg>
                        {name}
                    </li>
                }
            </ul>
            {largest_list(desk)}
        </section>
    }
}
