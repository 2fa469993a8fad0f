//! The panel for a model of one's own: a program beside the page, which loads it when it is asked for. The two share
//! nothing but the address: what comes out here is a fragment that the page opens.
//!
//! - [`state`]: what the panel knows and how actions change it; no browser in there;
//! - `walk`, `hub`, `files`: reading a model's files, from the Hub or from what the user drops;
//! - `saved`: models kept in the browser's local storage;
//! - `dialog` and the rest: one part of the panel a file.

mod dialog;
mod fields;
mod files;
mod from_files;
mod from_hub;
mod hub;
mod outcome;
mod saved;
mod shelf;
pub mod state;
mod walk;
mod within;

use gloo::utils::{body, document};
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Mounts the panel at the end of the body, and opens it.
pub fn run() {
    style();
    let Ok(place) = document().create_element("div") else {
        return;
    };
    if body().append_child(&place).is_ok() {
        yew::Renderer::<dialog::Dialog>::with_root(place).render();
    }
}

/// The panel's own style sheet.
fn style() {
    if let (Ok(link), Some(head)) = (document().create_element("link"), document().head()) {
        let _ = link.set_attribute("rel", "stylesheet");
        let _ = link.set_attribute("href", "./own.css");
        let _ = head.append_child(link.unchecked_ref::<Element>());
    }
}
