//! The chart "predicted against measured": a point a run, the diagonal where both are the same.

use super::ink::Ink;
use super::paper::{Drawing, Paper};
use super::picture::Picture;
use super::recorder::Recorder;
use super::ticks::tick_label;
use plotters::style::text_anchor::HPos;

// The margins around the points and the height of the whole, in pixels.
const TOP: u32 = 10;
const BOTTOM: u32 = 38;
const LEFT: u32 = 40;
const RIGHT: u32 = 12;
const HEIGHT: u32 = 240;

/// The axes' ends as powers of two of a MiB: 1 MiB to 128 GiB.
const ENDS: (i32, i32) = (0, 17);
/// The axes' marks, in GiB.
const MARKS: [f64; 4] = [1.0 / 64.0, 1.0, 8.0, 64.0];

/// The chart's data.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterChart {
    /// Measured and estimated MiB, a list a group of runs.
    pub groups: Vec<Vec<(u64, u64)>>,
}

impl ScatterChart {
    /// Lays the chart out for a width in pixels.
    pub fn draw(&self, width: u32) -> Picture {
        let recorder = Recorder::new(width.max(LEFT + RIGHT + 60), HEIGHT);
        // Recording cannot fail; should plotters refuse a layout, what was drawn until then is shown.
        let _ = self.draw_on(&recorder);
        recorder.picture()
    }

    fn draw_on(&self, recorder: &Recorder) -> Drawing {
        let paper = Paper::new(recorder);
        let (low, high) = (f64::from(ENDS.0), f64::from(ENDS.1));
        let plot = paper.plot([TOP, RIGHT, BOTTOM, LEFT], low..high, low..high)?;
        let at = |x: f64, y: f64| plot.at(x.clamp(low, high), y.clamp(low, high));
        let (_, foot) = at(low, low);
        for mark in MARKS {
            let place = (mark * 1024.0).log2();
            let label = match mark {
                mark if mark < 0.1 => "16 MiB".to_owned(),
                mark => tick_label(mark),
            };
            let (x, _) = at(place, low);
            paper.line(at(place, low), at(place, high), Ink::Grid)?;
            paper.line(at(low, place), at(high, place), Ink::Grid)?;
            paper.write(label.clone(), (x, foot + 11), Ink::Muted, HPos::Center)?;
            if mark >= 1.0 {
                paper.write(
                    label,
                    (LEFT as i32 - 5, at(low, place).1),
                    Ink::Muted,
                    HPos::Right,
                )?;
            }
        }
        paper.line(at(low, low), at(high, high), Ink::LoadLine)?;
        let middle = (at(low, low).0 + at(high, low).0) / 2;
        let words = "measured →, estimated ↑ (GiB)";
        paper.write(words.into(), (middle, foot + 28), Ink::Muted, HPos::Center)?;
        for (group, points) in self.groups.iter().enumerate() {
            recorder.group(group + 1);
            for (measured, estimated) in points {
                let place = at(
                    (*measured as f64).max(1.0).log2(),
                    (*estimated as f64).max(1.0).log2(),
                );
                paper.ring(place, 3, Ink::Point)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_a_ring() {
        let chart = ScatterChart {
            groups: vec![vec![(0, 0), (4096, 4100)], vec![(u64::MAX, 1)]],
        };
        for width in [0, 300, 1000] {
            let picture = chart.draw(width);
            assert_eq!((picture.group(1).count(), picture.group(2).count()), (2, 1));
        }
    }
}
