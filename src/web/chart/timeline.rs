//! The chart "one step over time": live tensors by category as areas above each other, phases marked, the peak ringed.

use super::ink::Ink;
use super::paper::{Drawing, Paper, Plot};
use super::picture::Picture;
use super::recorder::{Recorder, TEXT_SIZE};
use super::text_width::text_width;
use super::ticks::{gib_ticks, tick_label};
use crate::bytes::Bytes;
use crate::estimate::part::Part;
use crate::estimate::{Category, Column};
use crate::words::size;
use plotters::style::text_anchor::HPos;
use std::ops::Range;

// The margins around the areas and the height of the whole, in pixels.
const TOP: u32 = 40;
const BOTTOM: u32 = 12;
const LEFT: u32 = 34;
const RIGHT: u32 = 10;
const HEIGHT: u32 = 260;
/// Between the areas' upper end and the line with the phases' names.
const PHASES_ABOVE: i32 = 28;

/// The chart's data.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineChart {
    /// The moments that are shown.
    pub window: Range<usize>,
    /// What is alive, in columns over the window.
    pub columns: Vec<Column>,
    /// The phases that are shown, with their moments.
    pub phases: Vec<(&'static str, Range<usize>)>,
    /// The moment of the peak of the run.
    pub peak: usize,
    /// The height of the axis, in bytes.
    pub most: u64,
}

/// The moment of `window` that stands at pixel `x` of a chart of this width.
pub fn moment_at(x: f64, width: u32, window: &Range<usize>) -> usize {
    let plot = f64::from(width.saturating_sub(LEFT + RIGHT).max(1));
    let share = ((x - f64::from(LEFT)) / plot).clamp(0.0, 1.0);
    let length = window.len().saturating_sub(1);
    window.start + (share * length as f64).round() as usize
}

impl TimelineChart {
    /// Lays the chart out for a width in pixels.
    pub fn draw(&self, width: u32) -> Picture {
        let recorder = Recorder::new(width.max(LEFT + RIGHT + 60), HEIGHT);
        // Recording cannot fail; should plotters refuse a layout, what was drawn until then is shown.
        let _ = self.draw_on(&recorder);
        recorder.picture()
    }

    /// The pixel of a moment in a chart of this width.
    pub fn pixel(&self, moment: usize, width: u32) -> f64 {
        let plot = f64::from(width.saturating_sub(LEFT + RIGHT));
        let length = self.window.len().saturating_sub(1).max(1);
        f64::from(LEFT) + plot * moment.saturating_sub(self.window.start) as f64 / length as f64
    }

    /// Where a line through a moment begins and ends, in pixels from the top.
    pub fn span() -> (u32, u32) {
        (TOP, HEIGHT - BOTTOM)
    }

    /// How many columns are worth computing for a width in pixels: one every other pixel.
    pub fn columns_for(width: u32) -> usize {
        (width.saturating_sub(LEFT + RIGHT) / 2).max(60) as usize
    }

    /// The parts that can be seen: at least 1/400 of the axis somewhere.
    pub fn visible_parts(&self) -> Vec<Part> {
        let least = self.most / 400;
        let seen = |i: usize| self.columns.iter().any(|column| column.live[i] > least);
        let categories = Category::ALL.iter().copied().enumerate();
        categories
            .filter(|(i, _)| seen(*i))
            .map(|(_, category)| Part::Live(category))
            .collect()
    }

    fn draw_on(&self, recorder: &Recorder) -> Drawing {
        let paper = Paper::new(recorder);
        let end = Bytes(self.most).gib().max(1.0 / 1024.0) * 1.04;
        let length = self.window.len().saturating_sub(1).max(1) as f64;
        let plot = paper.plot([TOP, RIGHT, BOTTOM, LEFT], 0.0..length, 0.0..end)?;
        for tick in gib_ticks(end, 5) {
            let (x, y) = plot.at(0.0, tick);
            paper.line((x, y), plot.at(length, tick), Ink::Grid)?;
            paper.write(tick_label(tick), (x - 5, y), Ink::Muted, HPos::Right)?;
        }
        self.areas(&paper, &plot)?;
        self.phases(&paper, |moment| {
            plot.at(moment.saturating_sub(self.window.start) as f64, 0.0)
        })?;
        let peak = self.columns.iter().find(|column| column.at == self.peak);
        if let Some(peak) = peak {
            let at = (peak.at - self.window.start) as f64;
            let (x, y) = plot.at(at, Bytes(peak.total()).gib());
            paper.ring((x, y), 5, Ink::Peak)?;
            let label = format!("peak {}", size(peak.total()));
            let room = text_width(&label, TEXT_SIZE) as i32 + 12;
            let left = x + room > paper.width();
            let (x, hold) = if left {
                (x - 9, HPos::Right)
            } else {
                (x + 9, HPos::Left)
            };
            paper.write(label, (x, y - 6), Ink::Text, hold)?;
        }
        Ok(())
    }

    fn areas(&self, paper: &Paper, plot: &Plot) -> Drawing {
        let visible = self.visible_parts();
        let place = |column: &Column| (column.at - self.window.start) as f64;
        let mut below = vec![0u64; self.columns.len()];
        for (i, category) in Category::ALL.iter().enumerate() {
            let above: Vec<u64> = self
                .columns
                .iter()
                .zip(&below)
                .map(|(column, below)| below + column.live[i])
                .collect();
            let part = Part::Live(*category);
            if visible.contains(&part) {
                let upper = self.columns.iter().zip(&above);
                let lower = self.columns.iter().zip(&below).rev();
                let outline = upper
                    .chain(lower)
                    .map(|(column, bytes)| plot.at(place(column), Bytes(*bytes).gib()))
                    .collect();
                paper.area(outline, Ink::Part(part))?;
            }
            below = above;
        }
        Ok(())
    }

    /// Names the phases that have room for their name, and separates them.
    fn phases(&self, paper: &Paper, foot: impl Fn(usize) -> (i32, i32)) -> Drawing {
        let y = TOP as i32 - PHASES_ABOVE;
        for (name, moments) in &self.phases {
            if moments.start >= self.window.end || moments.end <= self.window.start {
                continue;
            }
            let from = foot(moments.start.max(self.window.start)).0;
            let to = foot(moments.end.min(self.window.end)).0;
            if moments.start > self.window.start {
                paper.line((from, y - 7), (from, foot(0).1), Ink::Grid)?;
            }
            if text_width(name, TEXT_SIZE) as i32 + 6 <= to - from {
                paper.write((*name).to_owned(), ((from + to) / 2, y), Ink::Muted, HPos::Center)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Timeline;
    use crate::scenario::Scenario;
    use crate::web::chart::Shape;

    fn chart(window: Range<usize>, width: u32) -> TimelineChart {
        let timeline = Timeline::of(&Scenario::default()).unwrap();
        TimelineChart {
            columns: timeline.columns(window.clone(), TimelineChart::columns_for(width)),
            window,
            phases: timeline
                .spans()
                .iter()
                .map(|span| (span.phase.name(), span.moments.clone()))
                .collect(),
            peak: timeline.peak(),
            most: 17 << 30,
        }
    }

    #[test]
    fn nothing_is_drawn_outside_of_the_picture() {
        let timeline = Timeline::of(&Scenario::default()).unwrap();
        for window in [timeline.peak_step(), 0..timeline.len(), 40_000..40_010, 7..8] {
            for width in [0, 320, 900] {
                let picture = chart(window.clone(), width).draw(width);
                for drawn in &picture.shapes {
                    let points = match &drawn.shape {
                        Shape::Area(points) | Shape::Path(points) => points.clone(),
                        Shape::Text { x, y, .. } => vec![(*x, *y)],
                        _ => vec![],
                    };
                    for (x, y) in points {
                        assert!(x >= 0 && x <= picture.width as i32, "{window:?} {width} {x}");
                        assert!(y >= 0 && y <= picture.height as i32, "{window:?} {width} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn pixels_and_moments_go_to_and_fro() {
        let chart = chart(1000..3000, 800);
        for moment in [1000, 1500, 2999] {
            let there = chart.pixel(moment, 800);
            assert!(moment_at(there, 800, &chart.window).abs_diff(moment) <= 2);
        }
        assert_eq!(moment_at(-50.0, 800, &(5..6)), 5);
        assert_eq!(moment_at(5000.0, 800, &(10..20)), 19);
    }
}
