//! The chart "memory by quantization": one stacked bar a weight format, and the line of the card's memory.

use super::ink::Ink;
use super::paper::Drawing;
use super::picture::Picture;
use super::recorder::Recorder;
use super::sheet::{Sheet, height, least_width};
use crate::bytes::Bytes;
use crate::estimate::Verdict;
use crate::estimate::part::Part;
use crate::scenario::WeightFormat;
use crate::web::compare::{Load, Row};
use crate::words::gib1;

/// The chart's data.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantChart {
    /// One row a format.
    pub rows: Vec<Row>,
    /// The scenario's own format.
    pub chosen: WeightFormat,
    /// The card's name and the bytes that a process can use of it.
    pub card: Option<(String, u64)>,
}

impl QuantChart {
    /// Lays the chart out for a width in pixels. Group 0 is what stands behind the bars, group `i + 1` is row `i`, the
    /// last group is the load line.
    pub fn draw(&self, width: u32) -> Picture {
        let recorder = Recorder::new(width.max(least_width()), height(self.rows.len()));
        // Recording cannot fail; should plotters refuse a layout, what was drawn until then is shown.
        let _ = self.draw_on(&recorder);
        recorder.picture()
    }

    /// The parts that can be seen: at least 1/500 of the axis in one of the bars.
    pub fn visible_parts(&self) -> Vec<Part> {
        let least = self.end() / 500.0;
        let loads = self.rows.iter().flat_map(|row| &row.load);
        let parts = Part::all();
        parts
            .filter(|part| loads.clone().any(|load| Bytes(load.bytes(*part)).gib() >= least))
            .collect()
    }

    /// The right end of the axis, in GiB.
    fn end(&self) -> f64 {
        let bars = self
            .rows
            .iter()
            .filter_map(|row| row.load.as_ref().ok())
            .map(|load| load.total().max(load.needed[2]));
        let most = bars
            .chain(self.card.iter().map(|(_, bytes)| *bytes))
            .max()
            .unwrap_or(0);
        Bytes(most).gib().max(1.0 / 64.0) * 1.02
    }

    fn draw_on(&self, recorder: &Recorder) -> Drawing {
        let sheet = Sheet::new(recorder, self.end(), self.rows.len())?;
        sheet.ticks(self.end())?;
        for (i, row) in self.rows.iter().enumerate() {
            recorder.group(i + 1);
            sheet.band(i, row.format == self.chosen)?;
            let middle = i as f64 + 0.5;
            match &row.load {
                Ok(load) => self.bar(&sheet, row.format, load, middle)?,
                Err(reason) => sheet.refusal(row.format, reason, middle)?,
            }
        }
        recorder.group(self.rows.len() + 1);
        match &self.card {
            Some((name, bytes)) => sheet.load_line(name, *bytes),
            None => Ok(()),
        }
    }

    fn bar(&self, sheet: &Sheet, format: WeightFormat, load: &Load, middle: f64) -> Drawing {
        sheet.label(format, middle, Ink::Text)?;
        let mut below = 0;
        for (part, bytes) in &load.parts {
            let title = format!("{format}: {}, {}", part.label(), Bytes(*bytes));
            sheet.part(*part, [below, below + bytes], middle, title)?;
            below += bytes;
        }
        let [low, expected, high] = load.needed;
        let end = sheet.whisker([low, high], middle)?.max(sheet.at(below, middle).0);
        let over = load.verdict == Some(Verdict::Exceeds);
        let line = self.card.as_ref().map(|(_, bytes)| sheet.at(*bytes, middle).0);
        sheet.value(
            gib1(expected),
            end,
            middle,
            line,
            if over { Ink::Over } else { Ink::Text },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{GIB, MIB};
    use crate::estimate::Category;
    use crate::web::chart::{Shape, svg};

    fn row(format: WeightFormat, weights: u64, verdict: Verdict) -> Row {
        let rest = [
            (Part::Live(Category::LogitsLoss), 3 * GIB),
            (Part::Gaps, 200 * MIB),
            (Part::Context, 400 * MIB),
            (Part::Cache, 900 * MIB),
        ];
        let parts: Vec<_> = [(Part::Live(Category::Weights), weights)]
            .into_iter()
            .chain(rest)
            .collect();
        let expected = weights + 3 * GIB + 600 * MIB;
        let needed = [expected - 100 * MIB, expected, expected + 300 * MIB];
        Row {
            format,
            load: Ok(Load {
                parts,
                needed,
                verdict: Some(verdict),
            }),
        }
    }

    fn chart() -> QuantChart {
        let refused = Row {
            format: WeightFormat::Fp8,
            load: Err("needs a card of compute capability 8.9 <or> later".into()),
        };
        QuantChart {
            rows: vec![
                row(WeightFormat::Bf16, 15 * GIB, Verdict::Exceeds),
                refused,
                row(WeightFormat::Nf4Dq, 5 * GIB, Verdict::Fits),
            ],
            chosen: WeightFormat::Nf4Dq,
            card: Some(("T4".into(), 15 * GIB)),
        }
    }

    #[test]
    fn the_chart_is_drawn_as_it_was_looked_at() {
        insta::assert_snapshot!(svg(&chart().draw(640), "Memory by quantization", ""));
    }

    #[test]
    fn nothing_is_drawn_outside_of_the_picture() {
        for width in [0, 200, 330, 640, 1200] {
            let picture = chart().draw(width);
            for drawn in &picture.shapes {
                if let Shape::Rect { x, width, .. } = drawn.shape {
                    assert!(x >= 0 && x as u32 + width <= picture.width, "{drawn:?}");
                }
            }
        }
    }
}
