//! The panel: the chart, the tables, what is taken for granted, and what stands behind the interval.

use super::scores::scores;
use crate::estimate::Estimate;
use crate::web::browser::use_width;
use crate::web::chart::{ScatterChart, shapes};
use crate::web::components::desk::Desk;
use crate::web::components::keep::keep;
use crate::web::components::piece::piece;
use crate::web::evidence::groups;
use yew::functional::Hook;
use yew::prelude::*;

/// Laid out for this width until the real one is known, in pixels.
const FIRST_WIDTH: u32 = 420;

/// How we know.
pub fn evidence_panel(desk: &Desk) -> Html {
    piece("evidence", desk, |desk, context| {
        use_evidence_panel(desk).run(context)
    })
}

#[hook]
fn use_evidence_panel(desk: &Desk) -> Html {
    let place = use_node_ref();
    let width = match use_width(&place) {
        0 => FIRST_WIDTH,
        width => width,
    };
    let measured = use_memo(width, |width| {
        let chart = ScatterChart {
            groups: groups().iter().map(|group| group.points.clone()).collect(),
        };
        let picture = chart.draw(*width);
        html! {
            <svg viewBox={format!("0 0 {} {}", picture.width, picture.height)} width="100%"
                height={picture.height.to_string()} role="img"
                aria-label="Estimated against measured memory of every recorded run, both axes logarithmic; the points lie on the diagonal">
                {shapes(picture.shapes.iter())}
            </svg>
        }
    });
    let tables = use_memo((), |()| scores());
    html! {
        <section class="panel evidence" aria-labelledby="evidence-title">
            <h2 id="evidence-title">{"How we know"}</h2>
            {keep(&place, "accuracy")}
            <p>
                {"One training step is replayed tensor by tensor, and the caching allocator below it. Allocated, reserved \
                  and least capacity come from the replay; process adds what the CUDA context and libraries take. Nothing \
                  is fitted to the runs below."}
            </p>
            <div class="chart" ref={place}>{(*measured).clone()}</div>
            {(*tables).clone()}
            if let Some(last) = &desk.state.answer.last {
                {about(&last.1)}
            }
        </section>
    }
}

/// What concerns the answer on screen.
fn about(estimate: &Estimate) -> Html {
    let runs = match estimate.evidence.runs {
        1 => "1 measured run".to_owned(),
        runs => format!("{runs} measured runs"),
    };
    html! {
        <>
            <h3>{"Behind this answer"}</h3>
            <p>{format!("Interval: {} ({runs}). Cost model {}.", estimate.evidence.source, estimate.cost_model)}</p>
            <ul>
                for assumption in &estimate.assumptions { <li>{assumption}</li> }
            </ul>
        </>
    }
}
