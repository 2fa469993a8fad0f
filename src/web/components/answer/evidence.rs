//! How we know: what was assumed, and what stands behind the interval.

use crate::web::components::desk::Desk;
use yew::prelude::*;

/// Assumptions and evidence, quietly.
pub fn evidence(desk: &Desk) -> Html {
    let Some(last) = &desk.state.answer.last else {
        return Html::default();
    };
    let estimate = &last.1;
    let runs = match estimate.evidence.runs {
        1 => "1 measured run".to_owned(),
        runs => format!("{runs} measured runs"),
    };
    html! {
        <section class="panel evidence" aria-labelledby="evidence-title">
            <h2 id="evidence-title">{"How we know"}</h2>
            <p>
                {"One training step is replayed tensor by tensor, and the caching allocator below it. Allocated and \
                  reserved come from the replay; process adds what the CUDA context and libraries take."}
            </p>
            <p>{format!("Interval: {} ({runs}). Cost model {}.", estimate.evidence.source, estimate.cost_model)}</p>
            if !estimate.assumptions.is_empty() {
                <h3>{"Taken for granted"}</h3>
                <ul>
                    for assumption in &estimate.assumptions { <li>{assumption}</li> }
                </ul>
            }
        </section>
    }
}
