//! What a chart draws with. An ink is a name, not a colour: the style sheet says what it looks like in light and dark.

use crate::estimate::part::Part;
use plotters::style::Color;
use plotters_backend::BackendColor;

/// The inks of all charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A part of the stacked bar.
    Part(Part),
    /// Lines behind the data.
    Grid,
    /// Words and numbers that matter.
    Text,
    /// The number of a row that does not fit.
    Over,
    /// Words and numbers beside the matter: ticks, rows that are refused.
    Muted,
    /// The line of the card's memory.
    LoadLine,
    /// The interval of a quantity.
    Whisker,
    /// Where a row can be hit by a pointer; drawn behind it.
    Row,
    /// The same for the row that is chosen.
    ChosenRow,
    /// The trough of a row without a bar.
    Refused,
    /// The ring around the highest point.
    Peak,
    /// A measured run.
    Point,
    /// A combination that fits with much to spare.
    Cell0,
    /// Less to spare.
    Cell1,
    /// Less still.
    Cell2,
    /// Little to spare.
    Cell3,
    /// A combination that is tight.
    CellTight,
    /// A combination that does not fit.
    CellOver,
    /// A combination that is not accepted.
    CellRefused,
    /// Words on a dark cell.
    OnCell,
}

const PLAIN: [(Ink, &str); 19] = [
    (Ink::Grid, "ink-grid"),
    (Ink::Text, "ink-text"),
    (Ink::Over, "ink-over"),
    (Ink::Muted, "ink-muted"),
    (Ink::LoadLine, "ink-load-line"),
    (Ink::Whisker, "ink-whisker"),
    (Ink::Row, "ink-row"),
    (Ink::ChosenRow, "ink-row chosen"),
    (Ink::Refused, "ink-refused"),
    (Ink::Peak, "ink-peak"),
    (Ink::Point, "ink-point"),
    (Ink::Cell0, "cell cell-0"),
    (Ink::Cell1, "cell cell-1"),
    (Ink::Cell2, "cell cell-2"),
    (Ink::Cell3, "cell cell-3"),
    (Ink::CellTight, "cell cell-tight"),
    (Ink::CellOver, "cell cell-over"),
    (Ink::CellRefused, "cell cell-refused"),
    (Ink::OnCell, "ink-on-cell"),
];

impl Ink {
    /// The CSS class.
    pub fn class(self) -> &'static str {
        match self {
            Ink::Part(part) => part.class(),
            plain => PLAIN
                .iter()
                .find(|(ink, _)| *ink == plain)
                .map_or("", |(_, class)| class),
        }
    }

    /// Reads back what [`Color::to_backend_color`] wrote.
    pub fn from_backend_color(color: BackendColor) -> Ink {
        let index = usize::from(color.rgb.0);
        match PLAIN.get(index) {
            Some((ink, _)) => *ink,
            None => Part::all().nth(index - PLAIN.len()).map_or(Ink::Text, Ink::Part),
        }
    }

    fn index(self) -> usize {
        match self {
            Ink::Part(part) => PLAIN.len() + Part::all().position(|p| p == part).unwrap_or_default(),
            plain => PLAIN
                .iter()
                .position(|(ink, _)| *ink == plain)
                .unwrap_or_default(),
        }
    }
}

/// Plotters passes colours through to the backend; the red channel carries the ink's number.
impl Color for Ink {
    fn to_backend_color(&self) -> BackendColor {
        BackendColor {
            alpha: 1.0,
            rgb: (self.index() as u8, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_survives_its_way_through_plotters() {
        let parts = Part::all().map(Ink::Part);
        for ink in parts.chain(PLAIN.map(|(ink, _)| ink)) {
            assert_eq!(Ink::from_backend_color(ink.to_backend_color()), ink);
            assert!(!ink.class().is_empty());
        }
    }
}
