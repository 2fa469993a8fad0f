//! The paper of the chart "memory by quantization": where rows and GiB are, and how each kind of mark is drawn.

use super::ink::Ink;
use super::paper::{Drawing, Paper, Plot};
use super::recorder::{Recorder, TEXT_SIZE};
use super::text_width::{elide, text_width};
use super::ticks::{gib_ticks, tick_label};
use crate::bytes::Bytes;
use crate::estimate::part::Part;
use crate::scenario::WeightFormat;
use crate::words::gib1;
use plotters::style::text_anchor::HPos;

// The margins around the bars and the rows' height, in pixels.
const TOP: u32 = 26;
const BOTTOM: u32 = 22;
const LEFT: u32 = 64;
const RIGHT: u32 = 44;
const ROW: u32 = 34;

/// Half the thickness of a bar, in rows.
const HALF_BAR: f64 = 0.32;
/// The same of the part that is not needed.
const HALF_CACHE: f64 = 0.12;
/// Pixels between marks of the axis, at least.
const BETWEEN_TICKS: u32 = 72;

/// Height in pixels of a chart with so many rows.
pub fn height(rows: usize) -> u32 {
    TOP + BOTTOM + ROW * rows as u32
}

/// Below this width in pixels there is no room for bars.
pub fn least_width() -> u32 {
    LEFT + RIGHT + 60
}

/// The paper.
pub struct Sheet<'a> {
    paper: Paper<'a>,
    plot: Plot,
    rows: f64,
}

impl<'a> Sheet<'a> {
    /// A sheet whose axis ends at so many GiB.
    pub fn new(recorder: &'a Recorder, end: f64, rows: usize) -> Drawing<Self> {
        let (paper, rows) = (Paper::new(recorder), rows as f64);
        let plot = paper.plot([TOP, RIGHT, BOTTOM, LEFT], 0.0..end, 0.0..rows)?;
        Ok(Sheet { paper, plot, rows })
    }

    /// The pixel of so many bytes at a height in rows from the top.
    pub fn at(&self, bytes: u64, row: f64) -> (i32, i32) {
        self.at_gib(Bytes(bytes).gib(), row)
    }

    fn at_gib(&self, gib: f64, row: f64) -> (i32, i32) {
        // Rows count from the top, plotters' axis from the bottom.
        self.plot.at(gib, self.rows - row)
    }

    /// The axis.
    pub fn ticks(&self, end: f64) -> Drawing {
        let most = (self.plot.width() / BETWEEN_TICKS).max(3);
        for tick in gib_ticks(end, most as usize) {
            let (x, bottom) = self.at_gib(tick, self.rows);
            self.paper
                .line(self.at_gib(tick, 0.0), (x, bottom + 3), Ink::Grid)?;
            self.paper
                .write(tick_label(tick), (x, bottom + 13), Ink::Muted, HPos::Center)?;
        }
        Ok(())
    }

    /// What lies behind a row.
    pub fn band(&self, row: usize, chosen: bool) -> Drawing {
        let ink = if chosen { Ink::ChosenRow } else { Ink::Row };
        let (_, top) = self.at(0, row as f64);
        let (_, bottom) = self.at(0, row as f64 + 1.0);
        self.paper
            .rectangle([(0, top + 1), (self.paper.width(), bottom - 1)], ink)
    }

    /// The name of a row.
    pub fn label(&self, format: WeightFormat, middle: f64, ink: Ink) -> Drawing {
        let (left, y) = self.at(0, middle);
        self.paper
            .write(format.slug().to_owned(), (left - 8, y), ink, HPos::Right)
    }

    /// A row without a bar, and why.
    pub fn refusal(&self, format: WeightFormat, reason: &str, middle: f64) -> Drawing {
        self.label(format, middle, Ink::Muted)?;
        let (left, y) = self.at(0, middle);
        let room = f64::from(self.paper.width() - left - 8);
        self.paper.recorder.title(Some(reason.to_owned()));
        self.paper.write(
            elide(reason, TEXT_SIZE, room),
            (left + 4, y),
            Ink::Muted,
            HPos::Left,
        )?;
        self.paper.recorder.title(None);
        Ok(())
    }

    /// A part of a bar.
    pub fn part(&self, part: Part, [from, to]: [u64; 2], middle: f64, title: String) -> Drawing {
        let half = if part == Part::Cache { HALF_CACHE } else { HALF_BAR };
        let corner = |bytes, side: f64| self.at(bytes, middle - side * half);
        self.paper.recorder.title(Some(title));
        self.paper
            .rectangle([corner(from, 1.0), corner(to, -1.0)], Ink::Part(part))?;
        self.paper.recorder.title(None);
        Ok(())
    }

    /// An interval; tells where it ends.
    pub fn whisker(&self, range: [u64; 2], middle: f64) -> Drawing<i32> {
        let [low, high] = range.map(|bytes| self.at(bytes, middle));
        self.paper.line(low, high, Ink::Whisker)?;
        for (x, y) in [low, high] {
            self.paper.line((x, y - 4), (x, y + 4), Ink::Whisker)?;
        }
        Ok(high.0)
    }

    /// The number behind a bar, out of the way of the load line at `line`.
    pub fn value(&self, text: String, end: i32, middle: f64, line: Option<i32>, ink: Ink) -> Drawing {
        let width = text_width(&text, TEXT_SIZE) as i32;
        let free = match line {
            Some(line) if line > end && line < end + width + 10 => line,
            _ => end,
        };
        self.paper
            .write(text, (free + 6, self.at(0, middle).1), ink, HPos::Left)
    }

    /// The card's memory as a Plimsoll line.
    pub fn load_line(&self, name: &str, bytes: u64) -> Drawing {
        let (x, top) = self.at(bytes, 0.0);
        let (_, bottom) = self.at(bytes, self.rows);
        let y = top - 14;
        self.paper.line((x, y + 6), (x, bottom), Ink::LoadLine)?;
        self.paper.ring((x, y), 6, Ink::LoadLine)?;
        self.paper.line((x - 10, y), (x + 10, y), Ink::LoadLine)?;
        let (label, left) = beside(name, bytes, x, self.paper.width());
        let (x, hold) = if left {
            (x - 14, HPos::Right)
        } else {
            (x + 14, HPos::Left)
        };
        self.paper.write(label, (x, y), Ink::Text, hold)
    }
}

/// The longest label of the load line at `x` that fits, and whether it stands to the left.
fn beside(name: &str, bytes: u64, x: i32, width: i32) -> (String, bool) {
    let size = format!("{} GiB", gib1(bytes));
    let full = format!("{name}, {size}");
    let room = text_width(&full, TEXT_SIZE) as i32 + 16;
    match () {
        () if x >= room => (full, true),
        () if width - x >= room => (full, false),
        () => (size, x > width / 2),
    }
}
