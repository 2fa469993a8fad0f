//! A finished chart: shapes in pixels, with an ink each, in groups.

use super::ink::Ink;

/// Where a text is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// At its left end.
    Start,
    /// In the middle.
    Middle,
    /// At its right end.
    End,
}

impl Anchor {
    /// SVG's `text-anchor`.
    pub fn svg(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// One shape, in pixels from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle.
    Rect {
        /// Left edge.
        x: i32,
        /// Upper edge.
        y: i32,
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// A line through points.
    Path(Vec<(i32, i32)>),
    /// A ring.
    Ring {
        /// The middle.
        center: (i32, i32),
        /// The radius.
        radius: u32,
    },
    /// A filled area.
    Area(Vec<(i32, i32)>),
    /// A line of text on a base line.
    Text {
        /// Where it is held.
        x: i32,
        /// The base line.
        y: i32,
        /// Which end is held.
        anchor: Anchor,
        /// The words.
        text: String,
    },
}

/// A shape, how it is inked and which group it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The shape.
    pub shape: Shape,
    /// Its ink.
    pub ink: Ink,
    /// Its group: 0 for the frame, then as the chart numbers its marks.
    pub group: usize,
    /// What the pointer is told about it.
    pub title: Option<String>,
}

/// A finished chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The shapes, later ones above earlier ones.
    pub shapes: Vec<Drawn>,
}

impl Picture {
    /// The shapes of one group.
    pub fn group(&self, group: usize) -> impl Iterator<Item = &Drawn> {
        self.shapes.iter().filter(move |drawn| drawn.group == group)
    }
}
