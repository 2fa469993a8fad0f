//! Buttons that save a chart as a file.

use crate::web::browser::picture;
use web_sys::Node;
use yew::prelude::*;

/// Saves the drawing within a node under a name.
pub fn keep(place: &NodeRef, name: &'static str) -> Html {
    let button = |kind: &'static str, save: fn(&Node, &str)| {
        let place = place.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            if let Some(node) = place.get() {
                save(&node, &format!("plimsoll-{name}"));
            }
        });
        html! {
            <button type="button" class="small" {onclick} aria-label={format!("Save this chart as {kind}")}>{kind}</button>
        }
    };
    html! {
        <div class="keep">{button("SVG", picture::save_svg)}{button("PNG", picture::save_png)}</div>
    }
}
