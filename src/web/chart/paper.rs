//! What all charts draw on: lines, areas and words in pixels. All of them pass here: what plotters compiles for a kind of
//! mark is in the page once.

use super::ink::Ink;
use super::recorder::{Recorder, TEXT_SIZE};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::convert::Infallible;
use std::ops::Range;

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
    #[inline(never)]
    pub fn write(&self, text: String, at: (i32, i32), ink: Ink, hold: HPos) -> Drawing {
        let style = (FontFamily::SansSerif, TEXT_SIZE).into_font().color(&ink);
        self.page
            .draw(&Text::new(text, at, style.pos(Pos::new(hold, VPos::Center))))
    }

    /// A line.
    pub fn line(&self, from: (i32, i32), to: (i32, i32), ink: Ink) -> Drawing {
        self.path(vec![from, to], ink)
    }

    /// A line through points.
    #[inline(never)]
    pub fn path(&self, points: Vec<(i32, i32)>, ink: Ink) -> Drawing {
        self.page.draw(&PathElement::new(points, ink))
    }

    /// An area between points.
    #[inline(never)]
    pub fn area(&self, points: Vec<(i32, i32)>, ink: Ink) -> Drawing {
        self.page.draw(&Polygon::new(points, ink.filled()))
    }

    /// A rectangle from one corner to the other.
    #[inline(never)]
    pub fn rectangle(&self, corners: [(i32, i32); 2], ink: Ink) -> Drawing {
        self.page.draw(&Rectangle::new(corners, ink.filled()))
    }

    /// A ring.
    #[inline(never)]
    pub fn ring(&self, middle: (i32, i32), radius: i32, ink: Ink) -> Drawing {
        self.page.draw(&Circle::new(middle, radius, ink))
    }

    /// A plot within margins at the top, right, bottom and left, in pixels.
    #[inline(never)]
    pub fn plot(&self, [top, right, bottom, left]: [u32; 4], x: Range<f64>, y: Range<f64>) -> Drawing<Plot> {
        let chart = ChartBuilder::on(&self.page)
            .margin_top(top)
            .margin_right(right)
            .margin_bottom(bottom)
            .margin_left(left)
            .build_cartesian_2d(x, y)?;
        Ok(Plot(chart.plotting_area().clone()))
    }
}

/// Where values lie on the paper.
pub struct Plot(DrawingArea<Recorder, Cartesian2d<RangedCoordf64, RangedCoordf64>>);

impl Plot {
    /// The pixel of a pair of values.
    #[inline(never)]
    pub fn at(&self, x: f64, y: f64) -> (i32, i32) {
        self.0.map_coordinate(&(x, y))
    }

    /// Its width in pixels.
    pub fn width(&self) -> u32 {
        self.0.dim_in_pixel().0
    }
}
