//! Buttons that say where to look: the step, the whole run, a phase, closer and further.

use super::view::View;
use crate::estimate::Timeline;
use crate::replay::Phase;
use std::ops::Range;
use yew::prelude::*;

/// The windows that have a name: the step with the peak, the whole run, and the phases of the step.
pub fn windows(timeline: &Timeline) -> Vec<(String, Option<Range<usize>>)> {
    let peak = timeline.span(timeline.peak());
    let step = peak.map_or(1, |span| span.step);
    let micro = peak.map_or(0, |span| span.micro);
    let mut named = vec![
        (format!("step {step}"), None),
        ("whole run".into(), Some(0..timeline.len())),
    ];
    for span in timeline.spans() {
        let closer = matches!(span.phase, Phase::Forward | Phase::Backward if span.micro == micro)
            || span.phase == Phase::Optimizer;
        if span.step == step && closer && span.moments.len() > 1 {
            named.push((span.phase.name().replace('_', " "), Some(span.moments.clone())));
        }
    }
    named
}

/// The buttons.
pub fn buttons(timeline: &Timeline, view: &View, show: &Callback<View>) -> Html {
    let now = view.window(timeline);
    let named = windows(timeline).into_iter().map(|(name, window)| {
        let pressed = window.clone().unwrap_or_else(|| timeline.peak_step()) == now;
        let to = view.look_at(window);
        html! {
            <button type="button" aria-pressed={pressed.to_string()} onclick={show.reform(move |_| to.clone())}>
                {name}
            </button>
        }
    });
    let zoom = |closer: bool, sign: &'static str, label: &'static str| {
        let to = view.zoom(timeline, closer);
        let disabled = to.window(timeline) == now;
        html! {
            <button type="button" aria-label={label} title={label} {disabled}
                onclick={show.reform(move |_| to.clone())}>{sign}</button>
        }
    };
    html! {
        <div class="choices" role="group" aria-label="What is shown">
            {for named}
            <span class="apart"></span>
            {zoom(false, "−", "Zoom out")}
            {zoom(true, "+", "Zoom in")}
        </div>
    }
}
