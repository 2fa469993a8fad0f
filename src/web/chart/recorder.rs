//! A plotters backend that records shapes instead of painting them, so that one drawing serves the page (as DOM
//! nodes with classes) and files (as text), and looks the same wherever it was laid out.

use super::ink::Ink;
use super::picture::{Anchor, Drawn, Picture, Shape};
use super::text_width::text_width;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

/// Size of every text in pixels; the style sheet says the same.
pub const TEXT_SIZE: f64 = 12.0;

/// From the middle of a line of text down to its base line, as a share of the size.
const HALF_HEIGHT: f64 = 0.36;

#[derive(Default)]
struct Sheet {
    picture: Picture,
    group: usize,
    title: Option<String>,
}

/// The backend. Clones share one sheet: keep one to say what the next shapes belong to, give one to plotters.
#[derive(Clone)]
pub struct Recorder(Rc<RefCell<Sheet>>);

impl Recorder {
    /// An empty sheet of a size in pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let picture = Picture {
            width,
            height,
            shapes: Vec::new(),
        };
        Recorder(Rc::new(RefCell::new(Sheet {
            picture,
            ..Sheet::default()
        })))
    }

    /// The next shapes belong to this group.
    pub fn group(&self, group: usize) {
        self.0.borrow_mut().group = group;
    }

    /// The next shapes carry this title.
    pub fn title(&self, title: Option<String>) {
        self.0.borrow_mut().title = title;
    }

    /// What was drawn so far.
    pub fn picture(&self) -> Picture {
        self.0.borrow().picture.clone()
    }

    fn record(&self, shape: Shape, color: BackendColor) -> Result<(), DrawingErrorKind<Infallible>> {
        let mut sheet = self.0.borrow_mut();
        let drawn = Drawn {
            shape,
            ink: Ink::from_backend_color(color),
            group: sheet.group,
            title: sheet.title.clone(),
        };
        sheet.picture.shapes.push(drawn);
        Ok(())
    }
}

type Recorded = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Recorder {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let sheet = self.0.borrow();
        (sheet.picture.width, sheet.picture.height)
    }

    fn ensure_prepared(&mut self) -> Recorded {
        Ok(())
    }

    fn present(&mut self) -> Recorded {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Recorded {
        self.record(
            Shape::Rect {
                x,
                y,
                width: 1,
                height: 1,
            },
            color,
        )
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Recorded {
        self.record(Shape::Path(vec![from, to]), style.color())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        a: BackendCoord,
        b: BackendCoord,
        style: &S,
        _: bool,
    ) -> Recorded {
        let (x, y) = (a.0.min(b.0), a.1.min(b.1));
        let shape = Shape::Rect {
            x,
            y,
            width: a.0.abs_diff(b.0),
            height: a.1.abs_diff(b.1),
        };
        self.record(shape, style.color())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Recorded {
        self.record(Shape::Path(path.into_iter().collect()), style.color())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _: bool,
    ) -> Recorded {
        self.record(Shape::Ring { center, radius }, style.color())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        area: I,
        style: &S,
    ) -> Recorded {
        self.record(Shape::Area(area.into_iter().collect()), style.color())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Recorded {
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let down = match style.anchor().v_pos {
            VPos::Top => 2.0 * HALF_HEIGHT,
            VPos::Center => HALF_HEIGHT,
            VPos::Bottom => 0.0,
        };
        let y = y + (down * style.size()).round() as i32;
        self.record(
            Shape::Text {
                x,
                y,
                anchor,
                text: text.to_owned(),
            },
            style.color(),
        )
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((
            text_width(text, style.size()).ceil() as u32,
            style.size().ceil() as u32,
        ))
    }
}
