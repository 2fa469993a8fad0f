//! A picture's shapes as DOM nodes.

use super::picture::{Drawn, Shape};
use super::svg::point_list;
use yew::prelude::*;

/// The shapes, each with the class of its ink and its title.
pub fn shapes<'a>(drawn: impl Iterator<Item = &'a Drawn>) -> Html {
    drawn.map(shape).collect()
}

fn shape(drawn: &Drawn) -> Html {
    let class = drawn.ink.class();
    let title = drawn.title.clone().map(|title| html! { <title>{title}</title> });
    match &drawn.shape {
        Shape::Rect { x, y, width, height } => html! {
            <rect {class} x={x.to_string()} y={y.to_string()} width={width.to_string()}
                height={height.to_string()}>{title}</rect>
        },
        Shape::Path(points) => html! { <polyline {class} points={point_list(points)}>{title}</polyline> },
        Shape::Area(points) => html! { <polygon {class} points={point_list(points)}>{title}</polygon> },
        Shape::Ring {
            center: (x, y),
            radius,
        } => html! {
            <circle {class} cx={x.to_string()} cy={y.to_string()} r={radius.to_string()}>{title}</circle>
        },
        Shape::Text { x, y, anchor, text } => html! {
            <text {class} x={x.to_string()} y={y.to_string()} text-anchor={anchor.svg()}>{text}{title}</text>
        },
    }
}
