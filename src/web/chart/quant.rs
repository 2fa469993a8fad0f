//! The chart "memory by quantization": one stacked bar a weight format, and the line of the card's memory.

use super::ink::Ink;
use super::picture::Picture;
use super::recorder::{Recorder, TEXT_SIZE};
use super::text_width::{elide, text_width};
use super::ticks::{gib_ticks, tick_label};
use crate::bytes::Bytes;
use crate::estimate::Verdict;
use crate::scenario::WeightFormat;
use crate::web::compare::Row;
use crate::web::part::Part;
use crate::web::words::gib1;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::convert::Infallible;

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

const TOP: u32 = 26;
const ROW: u32 = 34;
const AXIS: u32 = 22;
const LABELS: u32 = 64;
const VALUES: u32 = 44;
/// Half the thickness of a bar, in rows.
const HALF_BAR: f64 = 0.32;

impl QuantChart {
    /// Height in pixels of the drawing.
    pub fn height(&self) -> u32 {
        TOP + AXIS + ROW * self.rows.len() as u32
    }

    /// Lays the chart out for a width in pixels. Group 0 is what stands behind the bars, group
    /// `i + 1` is row `i`, the last group is the load line.
    pub fn draw(&self, width: u32) -> Picture {
        let recorder = Recorder::new(width.max(LABELS + VALUES + 60), self.height());
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

    fn draw_on(&self, recorder: &Recorder) -> Result<(), DrawingAreaErrorKind<Infallible>> {
        let end = self.end();
        let rows = self.rows.len() as f64;
        let page = recorder.clone().into_drawing_area();
        let chart = ChartBuilder::on(&page)
            .margin_top(TOP)
            .margin_right(VALUES)
            .margin_bottom(AXIS)
            .margin_left(LABELS)
            .build_cartesian_2d(0f64..end, 0f64..rows)?;
        let plot = chart.plotting_area();
        // Rows count from the top, plotters' axis from the bottom.
        let at = |gib: f64, row: f64| plot.map_coordinate(&(gib, rows - row));
        let write = |text: String, at: (i32, i32), ink: Ink, hold: HPos| {
            let held = Pos::new(hold, VPos::Center);
            page.draw(&Text::new(
                text,
                at,
                ("sans-serif", TEXT_SIZE).into_font().color(&ink).pos(held),
            ))
        };
        let (page_width, _) = page.dim_in_pixel();

        let ticks = (plot.dim_in_pixel().0 / 72).max(3) as usize;
        for tick in gib_ticks(end, ticks) {
            let (x, bottom) = at(tick, rows);
            page.draw(&PathElement::new([at(tick, 0.0), (x, bottom + 3)], Ink::Grid))?;
            write(tick_label(tick), (x, bottom + 13), Ink::Muted, HPos::Center)?;
        }

        for (i, row) in self.rows.iter().enumerate() {
            recorder.group(i + 1);
            let (_, top) = at(0.0, i as f64);
            let (_, bottom) = at(0.0, i as f64 + 1.0);
            let band = if row.format == self.chosen {
                Ink::ChosenRow
            } else {
                Ink::Row
            };
            page.draw(&Rectangle::new(
                [(0, top + 1), (page_width as i32, bottom - 1)],
                band.filled(),
            ))?;
            let middle = i as f64 + 0.5;
            let (left, y) = at(0.0, middle);
            let ink = if row.load.is_ok() { Ink::Text } else { Ink::Muted };
            write(row.format.slug().to_owned(), (left - 8, y), ink, HPos::Right)?;
            let load = match &row.load {
                Ok(load) => load,
                Err(reason) => {
                    let room = f64::from(page_width) - f64::from(left) - 12.0;
                    recorder.title(Some(reason.clone()));
                    write(
                        elide(reason, TEXT_SIZE, room),
                        (left + 4, y),
                        Ink::Muted,
                        HPos::Left,
                    )?;
                    recorder.title(None);
                    continue;
                }
            };
            let mut below = 0;
            for (part, bytes) in &load.parts {
                let corner = |bytes: u64, side: f64| (Bytes(bytes).gib(), rows - middle + side * HALF_BAR);
                recorder.title(Some(format!(
                    "{}: {}, {}",
                    row.format,
                    part.label(),
                    Bytes(*bytes)
                )));
                let rect = [corner(below, 1.0), corner(below + bytes, -1.0)];
                plot.draw(&Rectangle::new(rect, Ink::Part(*part).filled()))?;
                below += bytes;
            }
            recorder.title(None);
            let [low, expected, high] = load.needed;
            let (low, high) = (at(Bytes(low).gib(), middle), at(Bytes(high).gib(), middle));
            page.draw(&PathElement::new([low, high], Ink::Whisker))?;
            for (x, y) in [low, high] {
                page.draw(&PathElement::new([(x, y - 4), (x, y + 4)], Ink::Whisker))?;
            }
            let value = if load.verdict == Some(Verdict::Exceeds) {
                Ink::Over
            } else {
                Ink::Text
            };
            write(
                gib1(expected),
                (high.0.max(at(Bytes(below).gib(), 0.0).0) + 6, y),
                value,
                HPos::Left,
            )?;
        }

        recorder.group(self.rows.len() + 1);
        if let Some((name, bytes)) = &self.card {
            let (x, top) = at(Bytes(*bytes).gib(), 0.0);
            let (_, bottom) = at(0.0, rows);
            page.draw(&PathElement::new([(x, top - 8), (x, bottom)], Ink::LoadLine))?;
            page.draw(&Circle::new((x, top - 14), 6, Ink::LoadLine))?;
            page.draw(&PathElement::new(
                [(x - 10, top - 14), (x + 10, top - 14)],
                Ink::LoadLine,
            ))?;
            let (label, left) = beside(name, *bytes, x, page_width as i32);
            let (at, hold) = if left {
                (x - 14, HPos::Right)
            } else {
                (x + 14, HPos::Left)
            };
            write(label, (at, top - 14), Ink::Text, hold)?;
        }
        Ok(())
    }
}

/// The longest label of the load line at `x` that fits, and whether it stands to the left.
fn beside(name: &str, bytes: u64, x: i32, width: i32) -> (String, bool) {
    let size = format!("{} GiB", gib1(bytes));
    let full = format!("{name}, {size}");
    let needs = |label: &str| text_width(label, TEXT_SIZE) as i32 + 16;
    let left = x > width / 2;
    match () {
        () if x >= needs(&full) => (full, true),
        () if width - x >= needs(&full) => (full, false),
        () => (size, left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{GIB, MIB};
    use crate::estimate::Category;
    use crate::web::chart::{Shape, svg};
    use crate::web::compare::Load;

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
