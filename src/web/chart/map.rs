//! The chart "sequence × batch": a cell a combination, the frontier of what fits, the scenario's own point.

use super::ink::Ink;
use super::paper::{Drawing, Paper};
use super::picture::Picture;
use super::recorder::{Recorder, TEXT_SIZE};
use super::text_width::text_width;
use crate::bytes::Bytes;
use crate::estimate::Verdict;
use crate::web::grid::{BATCHES, Cell, Map, SEQS};
use crate::words::{gib1, tokens};
use plotters::style::text_anchor::HPos;

// The margins around the cells and their height, in pixels.
const TOP: u32 = 6;
const BOTTOM: u32 = 40;
const LEFT: u32 = 46;
const RIGHT: u32 = 6;
const ROW: u32 = 27;

/// The chart's data.
#[derive(Clone, Debug, PartialEq)]
pub struct MapChart {
    /// The cells.
    pub map: Map,
    /// The scenario's own batch and length.
    pub point: (u64, u64),
    /// Bytes that a process can use of the card.
    pub usable: Option<u64>,
}

/// Where a value stands among the marks of a doubling axis, in cells from the middle of the first.
fn place(value: u64, marks: &[u64]) -> f64 {
    let first = marks.first().copied().unwrap_or(1).max(1);
    (value.max(1) as f64 / first as f64)
        .log2()
        .clamp(-0.5, marks.len() as f64 - 0.5)
}

impl MapChart {
    /// Height of the chart, in pixels.
    pub fn height() -> u32 {
        TOP + BOTTOM + ROW * BATCHES.len() as u32
    }

    /// Lays the chart out for a width in pixels. Group 0 is the axes; the cell of row `r` (from the lowest batch) and
    /// column `c` is group `1 + r * columns + c`; the last group is the frontier and the point.
    pub fn draw(&self, width: u32) -> Picture {
        let recorder = Recorder::new(width.max(LEFT + RIGHT + 120), MapChart::height());
        // Recording cannot fail; should plotters refuse a layout, what was drawn until then is shown.
        let _ = self.draw_on(&recorder);
        recorder.picture()
    }

    /// The group of a cell.
    pub fn group(row: usize, column: usize) -> usize {
        1 + row * SEQS.len() + column
    }

    /// The group above all cells.
    pub fn top_group() -> usize {
        MapChart::group(BATCHES.len(), 0)
    }

    fn draw_on(&self, recorder: &Recorder) -> Drawing {
        let paper = Paper::new(recorder);
        let (columns, rows) = (SEQS.len() as f64, BATCHES.len() as f64);
        let plot = paper.plot([TOP, RIGHT, BOTTOM, LEFT], 0.0..columns, 0.0..rows)?;
        let at = |column: f64, row: f64| plot.at(column, row);
        self.axes(&paper, at)?;
        for (row, cells) in self.map.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                recorder.group(MapChart::group(row, column));
                let (left, bottom) = at(column as f64, row as f64);
                let (right, top) = at(column as f64 + 1.0, row as f64 + 1.0);
                let corners = [(left + 1, top + 1), (right - 1, bottom - 1)];
                paper.rectangle(corners, self.ink(cell))?;
                self.number(&paper, cell, (left, right), (top + bottom) / 2)?;
            }
        }
        recorder.group(MapChart::top_group());
        self.frontier(&paper, at)?;
        let (batch, seq) = self.point;
        let (column, row) = (place(seq, &SEQS), place(batch, &BATCHES));
        // A frame leaves the cell's number to be read; between two cells there is none.
        if SEQS.contains(&seq) && BATCHES.contains(&batch) {
            let ((left, bottom), (right, top)) = (at(column, row), at(column + 1.0, row + 1.0));
            paper.rectangle([(left + 2, top + 2), (right - 2, bottom - 2)], Ink::Peak)
        } else {
            paper.ring(at(column + 0.5, row + 0.5), 6, Ink::Peak)
        }
    }

    fn axes(&self, paper: &Paper, at: impl Fn(f64, f64) -> (i32, i32)) -> Drawing {
        let (left, bottom) = at(0.0, 0.0);
        let (right, _) = at(SEQS.len() as f64, 0.0);
        for (row, batch) in BATCHES.iter().enumerate() {
            let (x, y) = at(0.0, row as f64 + 0.5);
            paper.write(batch.to_string(), (x - 7, y), Ink::Muted, HPos::Right)?;
        }
        let widest = SEQS
            .iter()
            .map(|seq| text_width(&tokens(*seq), TEXT_SIZE))
            .fold(0.0, f64::max);
        let every =
            (widest as usize + 4).div_ceil(((right - left).unsigned_abs() as usize / SEQS.len()).max(1));
        for (column, seq) in SEQS.iter().enumerate().step_by(every.max(1)) {
            let (x, _) = at(column as f64 + 0.5, 0.0);
            paper.write(tokens(*seq), (x, bottom + 11), Ink::Muted, HPos::Center)?;
        }
        paper.write(
            "tokens per sequence →, sequences at once ↑".into(),
            ((left + right) / 2, bottom + 29),
            Ink::Muted,
            HPos::Center,
        )
    }

    /// GiB in the cell, where there is room.
    fn number(&self, paper: &Paper, cell: &Cell, (left, right): (i32, i32), y: i32) -> Drawing {
        let Some(live) = cell.live else { return Ok(()) };
        let exact = gib1(live);
        let text = match exact.split_once('.') {
            Some((whole, _)) if whole.len() > 2 => whole.to_owned(),
            _ => exact,
        };
        if text_width(&text, TEXT_SIZE) as i32 + 4 > right - left {
            return Ok(());
        }
        paper.write(text, ((left + right) / 2, y), self.text_ink(cell), HPos::Center)
    }

    fn ink(&self, cell: &Cell) -> Ink {
        match (cell.verdict, cell.live, self.usable) {
            (_, None, _) => Ink::CellRefused,
            (Some(Verdict::Tight), ..) => Ink::CellTight,
            (Some(Verdict::Exceeds), ..) => Ink::CellOver,
            (_, Some(live), Some(usable)) => {
                let share = Bytes(live).gib() / Bytes(usable).gib().max(1e-9);
                match () {
                    () if share < 0.25 => Ink::Cell0,
                    () if share < 0.5 => Ink::Cell1,
                    () if share < 0.75 => Ink::Cell2,
                    () => Ink::Cell3,
                }
            }
            _ => Ink::Cell0,
        }
    }

    fn text_ink(&self, cell: &Cell) -> Ink {
        match self.ink(cell) {
            Ink::Cell3 => Ink::OnCell,
            Ink::CellOver => Ink::Muted,
            _ => Ink::Text,
        }
    }

    /// The line between what fits and what does not.
    fn frontier(&self, paper: &Paper, at: impl Fn(f64, f64) -> (i32, i32)) -> Drawing {
        if self.usable.is_none() {
            return Ok(());
        }
        let fits = |cell: &Cell| cell.verdict == Some(Verdict::Fits);
        let height = |column: usize| self.map.iter().take_while(|cells| fits(&cells[column])).count();
        let mut line = Vec::new();
        for column in 0..SEQS.len() {
            let row = height(column) as f64;
            line.push(at(column as f64, row));
            line.push(at(column as f64 + 1.0, row));
        }
        paper.path(line, Ink::LoadLine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_an_axis_of_doublings_has_them() {
        assert_eq!(place(256, &SEQS), 0.0);
        assert_eq!(place(2048, &SEQS), 3.0);
        assert!((place(3000, &SEQS) - 3.55).abs() < 0.01);
        assert_eq!(place(1, &SEQS), -0.5);
        assert_eq!(place(u64::MAX, &BATCHES), BATCHES.len() as f64 - 0.5);
    }

    #[test]
    fn every_cell_is_drawn_at_every_width() {
        let cell = Cell {
            live: Some(123 << 30),
            verdict: Some(Verdict::Fits),
        };
        let map = vec![vec![cell; SEQS.len()]; BATCHES.len()];
        for width in [0, 300, 600, 1200] {
            let chart = MapChart {
                map: map.clone(),
                point: (3, 3000),
                usable: Some(200 << 30),
            };
            let picture = chart.draw(width);
            for group in 1..MapChart::top_group() {
                assert!(picture.group(group).count() > 0, "{width} {group}");
            }
        }
    }
}
