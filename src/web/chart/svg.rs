//! A picture as SVG text, for files and tests.

use super::picture::{Drawn, Picture, Shape};
use std::fmt::Write;

/// The picture as a stand-alone SVG whose colours come from `style`, a style sheet for the inks' classes.
pub fn svg(picture: &Picture, label: &str, style: &str) -> String {
    let (width, height) = (picture.width, picture.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{}\">\n",
        escape(label)
    );
    if !style.is_empty() {
        let _ = writeln!(out, "<style>{style}</style>");
    }
    for drawn in &picture.shapes {
        let _ = writeln!(out, "{}", element(drawn));
    }
    out.push_str("</svg>\n");
    out
}

fn element(drawn: &Drawn) -> String {
    let class = drawn.ink.class();
    let title = drawn
        .title
        .as_ref()
        .map(|t| format!("<title>{}</title>", escape(t)))
        .unwrap_or_default();
    let (tag, attributes, content) = match &drawn.shape {
        Shape::Rect { x, y, width, height } => (
            "rect",
            format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""),
            title,
        ),
        Shape::Path(points) => ("polyline", format!("points=\"{}\"", point_list(points)), title),
        Shape::Area(points) => ("polygon", format!("points=\"{}\"", point_list(points)), title),
        Shape::Ring {
            center: (x, y),
            radius,
        } => ("circle", format!("cx=\"{x}\" cy=\"{y}\" r=\"{radius}\""), title),
        Shape::Text { x, y, anchor, text } => (
            "text",
            format!("x=\"{x}\" y=\"{y}\" text-anchor=\"{}\"", anchor.svg()),
            format!("{}{title}", escape(text)),
        ),
    };
    format!("<{tag} class=\"{class}\" {attributes}>{content}</{tag}>")
}

/// The `points` attribute of a line or an area.
pub fn point_list(points: &[(i32, i32)]) -> String {
    points
        .iter()
        .map(|(x, y)| format!("{x},{y}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
