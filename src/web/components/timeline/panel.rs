//! The panel: chart, cursor, readout.

use super::pointer::{A_STEP, DRAGS, x_on};
use super::readout::{readout, told};
use super::view::View;
use super::zoom::buttons;
use crate::estimate::{Column, Timeline};
use crate::web::browser::use_width;
use crate::web::chart::{TimelineChart, moment_at, shapes};
use crate::web::components::desk::Desk;
use crate::web::components::keep::keep;
use crate::web::components::later::use_later;
use crate::web::components::legend::legend;
use crate::web::components::piece::piece;
use std::rc::Rc;
use yew::functional::Hook;
use yew::prelude::*;

/// Laid out for this width until the real one is known, in pixels.
const FIRST_WIDTH: u32 = 640;

/// One step over time. The replay is read after the answer is on screen.
pub fn timeline_panel(desk: &Desk) -> Html {
    piece("timeline", desk, |desk, context| {
        use_timeline_panel(desk).run(context)
    })
}

#[hook]
fn use_timeline_panel(desk: &Desk) -> Html {
    let place = use_node_ref();
    let width = match use_width(&place) {
        0 => FIRST_WIDTH,
        width => width,
    };
    let scenario = desk.state.answered();
    let timeline = use_later(scenario.clone(), |scenario| {
        let scenario = scenario.clone();
        move || Some(scenario.as_ref().and_then(|scenario| Timeline::of(scenario).ok()))
    });
    let view = use_state_eq(View::default);
    let show = {
        let view = view.clone();
        use_callback((), move |to: View, ()| view.set(to))
    };
    // Another run is looked at as a whole again.
    {
        let show = show.clone();
        use_effect_with(scenario, move |_| show.emit(View::default()));
    }
    let old = desk.state.answer.is_old().then_some("old");
    let body = use_chart(Drawn(timeline.unwrap_or_default()), &view, &show, width);
    html! {
        <section class={classes!("panel", "timeline", old)} aria-labelledby="timeline-title">
            <h2 id="timeline-title">{"One step over time"}</h2>
            {keep(&place, "timeline")}
            <p class="note">
                {"Live tensors from event to event of the replay, in GiB; its clock counts allocations and frees, not \
                  seconds. Point at a moment; to look closer drag over a stretch, pinch, or turn the wheel with Ctrl."}
            </p>
            <div class="chart" ref={place} data-testid="timeline">{body}</div>
        </section>
    }
}

/// A timeline that is the same only when it is the very same one.
#[derive(Clone)]
struct Drawn(Rc<Option<Timeline>>);

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// The chart with what can be asked of it; nothing before there is a timeline.
#[hook]
fn use_chart(whole: Drawn, view: &View, show: &Callback<View>, width: u32) -> Html {
    let svg = use_node_ref();
    let dragged_from = use_state_eq(|| None::<f64>);
    let pointed = use_state_eq(|| 0.0);
    let turned = use_mut_ref(|| 0.0);
    let window = whole.0.as_ref().as_ref().map(|timeline| view.window(timeline));
    let drawn = use_memo((whole.clone(), window, width), |(timeline, window, width)| {
        let (timeline, window) = (timeline.0.as_ref().as_ref()?, window.clone()?);
        let chart = chart_of(timeline, window, *width);
        let shapes = shapes(chart.draw(*width).shapes.iter());
        Some((chart, shapes))
    });
    let (Some(timeline), Some((chart, shapes))) = (whole.0.as_ref(), drawn.as_ref()) else {
        return Html::default();
    };
    let at = view.moment(timeline);
    let asked = {
        let (drawn, window) = (drawn.clone(), chart.window.clone());
        // The highest moment of the column under the pointer, which is the one that is drawn.
        move |x: f64| {
            let moment = moment_at(x, width, &window);
            let columns = drawn.as_ref().as_ref().map(|(chart, _)| chart.columns.as_slice());
            nearest(columns.unwrap_or_default(), moment)
        }
    };
    let onpointermove = {
        let (svg, view, show, pointed, asked) = (
            svg.clone(),
            view.clone(),
            show.clone(),
            pointed.clone(),
            asked.clone(),
        );
        Callback::from(move |event: PointerEvent| {
            let x = x_on(&svg, &event);
            pointed.set(x);
            show.emit(view.ask(asked(x)));
        })
    };
    let onpointerdown = {
        let (svg, dragged_from) = (svg.clone(), dragged_from.clone());
        Callback::from(move |event: PointerEvent| dragged_from.set(Some(x_on(&svg, &event))))
    };
    let onpointerup = {
        let (svg, view, show, dragged_from) = (svg.clone(), view.clone(), show.clone(), dragged_from.clone());
        let window = chart.window.clone();
        Callback::from(move |event: PointerEvent| {
            let to = x_on(&svg, &event);
            if let Some(from) = dragged_from.filter(|from| (from - to).abs() >= DRAGS) {
                let [from, to] = [from.min(to), from.max(to)].map(|x| moment_at(x, width, &window));
                show.emit(view.look_at(Some(from..to + 1)));
            }
            dragged_from.set(None);
        })
    };
    let onpointerleave = {
        let (view, show, dragged_from) = (view.clone(), show.clone(), dragged_from.clone());
        Callback::from(move |_: PointerEvent| {
            dragged_from.set(None);
            show.emit(view.ask(None));
        })
    };
    // A pinch comes as a wheel with the control key; the bare wheel scrolls the page.
    let onwheel = {
        let (svg, view, show, whole, asked) = (
            svg.clone(),
            view.clone(),
            show.clone(),
            whole.0.clone(),
            asked.clone(),
        );
        Callback::from(move |event: WheelEvent| {
            let Some(timeline) = whole.as_ref() else { return };
            if !event.ctrl_key() && !event.meta_key() {
                return;
            }
            event.prevent_default();
            let turned = &mut *turned.borrow_mut();
            *turned += event.delta_y();
            if turned.abs() >= A_STEP {
                let closer = std::mem::take(turned) < 0.0;
                show.emit(view.ask(asked(x_on(&svg, &event))).zoom(timeline, closer));
            }
        })
    };
    let onkeydown = keys(&whole.0, view, chart, show);
    let (top, foot) = TimelineChart::span();
    let x = chart.pixel(at.clamp(chart.window.start, chart.window.end - 1), width);
    let dragged = dragged_from.filter(|from| (from - *pointed).abs() >= DRAGS);
    html! {
        <>
            {buttons(timeline, view, show)}
            <svg ref={svg} viewBox={format!("0 0 {width} 260")} width="100%" height="260" tabindex="0" role="slider"
                aria-label="Moment of the run" aria-valuemin={chart.window.start.to_string()}
                aria-valuemax={(chart.window.end - 1).to_string()} aria-valuenow={at.to_string()}
                aria-valuetext={told(timeline, at)} {onpointermove} {onpointerdown} {onpointerup} {onpointerleave}
                {onwheel} {onkeydown}>
                {shapes.clone()}
                if let Some(from) = dragged {
                    <rect class="stretch" x={from.min(*pointed).to_string()} y={top.to_string()}
                        width={(from - *pointed).abs().to_string()} height={(foot - top).to_string()} />
                }
                if chart.window.contains(&at) {
                    <line class="cursor" x1={x.to_string()} x2={x.to_string()} y1={top.to_string()} y2={foot.to_string()} />
                }
            </svg>
            {legend(&chart.visible_parts())}
            {readout(timeline, at)}
        </>
    }
}

fn chart_of(timeline: &Timeline, window: std::ops::Range<usize>, width: u32) -> TimelineChart {
    let columns = timeline.columns(window.clone(), TimelineChart::columns_for(width));
    let overlaps =
        |moments: &std::ops::Range<usize>| moments.start < window.end && window.start < moments.end;
    let phases = timeline.spans().iter().filter(|span| overlaps(&span.moments));
    TimelineChart {
        phases: phases
            .map(|span| (span.phase.name(), span.moments.clone()))
            .collect(),
        most: columns.iter().map(Column::total).max().unwrap_or(0),
        columns,
        window,
        peak: timeline.peak(),
    }
}

/// The moment of the column that is nearest.
fn nearest(columns: &[Column], moment: usize) -> Option<usize> {
    columns
        .iter()
        .map(|column| column.at)
        .min_by_key(|at| at.abs_diff(moment))
}

/// Arrows go from column to column, Page Up and Page Down from phase to phase, plus and minus zoom, 0 shows the step.
fn keys(
    timeline: &Rc<Option<Timeline>>,
    view: &View,
    chart: &TimelineChart,
    show: &Callback<View>,
) -> Callback<KeyboardEvent> {
    let (timeline, view, show) = (timeline.clone(), view.clone(), show.clone());
    let columns: Vec<usize> = chart.columns.iter().map(|column| column.at).collect();
    let phases: Vec<usize> = chart.phases.iter().map(|(_, moments)| moments.start).collect();
    Callback::from(move |event: KeyboardEvent| {
        let Some(timeline) = timeline.as_ref() else { return };
        let at = view.moment(timeline);
        let before = |places: &[usize]| places.iter().copied().filter(|place| *place < at).max();
        let after = |places: &[usize]| places.iter().copied().filter(|place| *place > at).min();
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => view.ask(before(&columns).or(Some(at))),
            "ArrowRight" | "ArrowUp" => view.ask(after(&columns).or(Some(at))),
            "PageDown" => view.ask(before(&phases).or(Some(at))),
            "PageUp" => view.ask(after(&phases).or(Some(at))),
            "Home" => view.ask(columns.first().copied()),
            "End" => view.ask(columns.last().copied()),
            "+" | "=" => view.zoom(timeline, true),
            "-" => view.zoom(timeline, false),
            "0" | "Escape" => View::default(),
            _ => return,
        };
        event.prevent_default();
        show.emit(to);
    })
}
