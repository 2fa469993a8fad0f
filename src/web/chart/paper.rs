//! What all charts draw on: lines and words in pixels.

use super::ink::Ink;
use super::recorder::{Recorder, TEXT_SIZE};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::convert::Infallible;

/// Whether something could be drawn.
pub type Drawing<T = ()> = Result<T, DrawingAreaErrorKind<Infallible>>;

/// A sheet of paper, in pixels from the upper left corner.
pub struct Paper<'a> {
    /// What is drawn is recorded here.
    pub recorder: &'a Recorder,
    /// The whole of it.
    pub page: DrawingArea<Recorder, Shift>,
}

impl<'a> Paper<'a> {
    /// Paper on which nothing is drawn yet.
    pub fn new(recorder: &'a Recorder) -> Self {
        Paper {
            recorder,
            page: recorder.clone().into_drawing_area(),
        }
    }

    /// Its width.
    pub fn width(&self) -> i32 {
        self.page.dim_in_pixel().0 as i32
    }

    /// Words around a middle line.
    pub fn write(&self, text: String, at: (i32, i32), ink: Ink, hold: HPos) -> Drawing {
        let style = ("sans-serif", TEXT_SIZE).into_font().color(&ink);
        self.page
            .draw(&Text::new(text, at, style.pos(Pos::new(hold, VPos::Center))))
    }

    /// A line.
    pub fn line(&self, from: (i32, i32), to: (i32, i32), ink: Ink) -> Drawing {
        self.page.draw(&PathElement::new([from, to], ink))
    }
}
