//! The report's charts, as SVG.

use std::error::Error;

use plotters::prelude::*;

use super::Accuracy;
use crate::bytes::Bytes;
use crate::score::{IntervalScore, Pair, RowScore, Summary};

type Chart = Result<Option<String>, Box<dyn Error>>;

const INK: RGBColor = RGBColor(0x33, 0x3a, 0x44);
const FAINT: RGBColor = RGBColor(0xc8, 0xcd, 0xd4);
const BLUE: RGBColor = RGBColor(0x1f, 0x6f, 0xb2);
const ORANGE: RGBColor = RGBColor(0xc4, 0x5a, 0x12);
const WIDTH: u32 = 760;

/// Measured against estimated, both in GiB and logarithmic: on the line they are the same.
pub(super) fn scatter(accuracy: &Accuracy) -> Chart {
    let points: Vec<(f64, f64)> = accuracy
        .rows
        .iter()
        .filter_map(main_pair)
        .map(|pair| (Bytes(pair.measured).gib(), Bytes(pair.estimated).gib()))
        .filter(|(measured, estimated)| *measured > 0.0 && *estimated > 0.0)
        .collect();
    let all = || points.iter().flat_map(|(a, b)| [*a, *b]);
    let (Some(low), Some(high)) = (all().reduce(f64::min), all().reduce(f64::max)) else {
        return Ok(None);
    };
    let (low, high) = (low * 0.8, high * 1.25);
    drawn(480, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((low..high).log_scale(), (low..high).log_scale())?;
        chart
            .configure_mesh()
            .bold_line_style(FAINT.mix(0.6))
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_desc("measured, GiB")
            .y_desc("estimated, GiB")
            .x_label_formatter(&gib)
            .y_label_formatter(&gib)
            .draw()?;
        chart.draw_series([PathElement::new([(low, low), (high, high)], INK.mix(0.5))])?;
        let dot = |point: &(f64, f64)| Circle::new(*point, 3, BLUE.mix(0.55).filled());
        chart.draw_series(points.iter().map(dot))?;
        Ok(())
    })
}

/// The mean absolute error of a quantity, a bar a group.
pub(super) fn bars(summaries: &[Summary], quantity: &str) -> Chart {
    let bars: Vec<(&str, usize, f64)> = summaries
        .iter()
        .filter_map(|summary| {
            let errors = summary.quantities.get(quantity)?;
            Some((summary.source.as_str(), errors.n, errors.mean_absolute_percent))
        })
        .collect();
    let Some(most) = bars.iter().map(|bar| bar.2).reduce(f64::max) else {
        return Ok(None);
    };
    let most = (most * 1.15).max(0.1);
    let height = 56 + 30 * bars.len() as u32;
    drawn(height, |root| {
        let rows = bars.len() as f64;
        let mut chart = ChartBuilder::on(root)
            .margin(12)
            .margin_right(40)
            .x_label_area_size(36)
            .y_label_area_size(0)
            .margin_left(240)
            .build_cartesian_2d(0.0..most, 0.0..rows)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .bold_line_style(FAINT.mix(0.6))
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_desc("mean absolute error, %")
            .draw()?;
        for (index, (name, n, error)) in bars.iter().enumerate() {
            let row = rows - index as f64;
            chart.draw_series([Rectangle::new(
                [(0.0, row - 0.25), (*error, row - 0.75)],
                BLUE.mix(0.7).filled(),
            )])?;
            let at = chart.backend_coord(&(0.0, row - 0.5));
            let label = format!("{} ({n})", shortened(name));
            let style = ("sans-serif", 13).into_font().color(&INK);
            let size = root.estimate_text_size(&label, &style)?;
            root.draw_text(&label, &style, (at.0 - size.0 as i32 - 8, at.1 - 7))?;
        }
        Ok(())
    })
}

/// The process of each run beside its interval: measured less expected in MiB, by size.
pub(super) fn intervals(accuracy: &Accuracy) -> Chart {
    let mut runs: Vec<IntervalScore> = accuracy
        .rows
        .iter()
        .filter_map(|row| row.quantities.process)
        .collect();
    runs.sort_by_key(|run| run.interval.expected);
    let mib = |bytes: u64, from: u64| (bytes as f64 - from as f64) / (1 << 20) as f64;
    let of = |run: &IntervalScore| {
        let expected = run.interval.expected;
        [run.interval.low, run.interval.high, run.measured].map(|bytes| mib(bytes, expected))
    };
    let all = || runs.iter().flat_map(of);
    let (Some(low), Some(high)) = (all().reduce(f64::min), all().reduce(f64::max)) else {
        return Ok(None);
    };
    let margin = (high - low).max(1.0) * 0.05;
    drawn(320, |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..runs.len() as f64 - 0.5, low - margin..high + margin)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(FAINT.mix(0.6))
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_desc("runs, the smallest first")
            .y_desc("process less its expectation, MiB")
            .x_labels(0)
            .draw()?;
        for (index, run) in runs.iter().enumerate() {
            let [low, high, measured] = of(run);
            let x = index as f64;
            chart.draw_series([PathElement::new([(x, low), (x, high)], FAINT.stroke_width(3))])?;
            let colour = if run.covered() { BLUE } else { ORANGE };
            chart.draw_series([Circle::new((x, measured), 3, colour.filled())])?;
        }
        Ok(())
    })
}

type Root<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn drawn(height: u32, draw: impl FnOnce(&Root) -> Result<(), Box<dyn Error>>) -> Chart {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    Ok(Some(svg))
}

/// What was measured best: allocated, else reserved, else the process.
fn main_pair(row: &RowScore) -> Option<Pair> {
    let q = &row.quantities;
    q.allocated.or(q.reserved).or(q.process.map(IntervalScore::pair))
}

fn gib(value: &f64) -> String {
    match *value {
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

/// A name that fits beside its bar.
fn shortened(name: &str) -> String {
    const MOST: usize = 30;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into(),
    }
}
