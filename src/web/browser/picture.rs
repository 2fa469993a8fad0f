//! Charts as files. What is on screen is copied with its colours, for the page's style sheets do not go with a file.

use super::download;
use gloo::utils::{document, window};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, CanvasRenderingContext2d, Element, HtmlCanvasElement, HtmlImageElement, Node};

/// What the style sheets decide and a file must say itself.
const STYLES: [&str; 9] = [
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "opacity",
    "paint-order",
    "font-size",
    "font-weight",
];

/// Points of a PNG for one pixel of the page, so that it is crisp in print.
const SCALE: f64 = 2.0;

/// The drawing within an element as a stand-alone SVG on the panel's ground.
fn svg(place: &Element) -> Option<(String, f64, f64)> {
    let drawing = place.query_selector(":scope > svg").ok()??;
    let size = drawing.get_bounding_client_rect();
    let copy: Element = drawing.clone_node_with_deep(true).ok()?.unchecked_into();
    dress(&drawing, &copy);
    let (width, height) = (size.width().max(1.0), size.height().max(1.0));
    let ground = document()
        .create_element_ns(Some("http://www.w3.org/2000/svg"), "rect")
        .ok()?;
    let style = |of: &Element, name: &str| {
        let style = window().get_computed_style(of).ok().flatten()?;
        style.get_property_value(name).ok()
    };
    for (name, value) in [
        ("width", "100%".to_owned()),
        ("height", "100%".to_owned()),
        (
            "fill",
            style(place.closest(".panel").ok()??.as_ref(), "background-color")?,
        ),
    ] {
        ground.set_attribute(name, &value).ok()?;
    }
    copy.insert_before(&ground, copy.first_child().as_ref()).ok()?;
    for (name, value) in [
        ("xmlns", "http://www.w3.org/2000/svg".to_owned()),
        ("width", width.to_string()),
        ("height", height.to_string()),
        ("font-family", "system-ui, sans-serif".to_owned()),
    ] {
        copy.set_attribute(name, &value).ok()?;
    }
    Some((copy.outer_html(), width, height))
}

/// Writes the styles of each element into its copy.
fn dress(original: &Element, copy: &Element) {
    if let Ok(Some(style)) = window().get_computed_style(original) {
        for name in STYLES {
            if let Ok(value) = style.get_property_value(name) {
                let _ = copy.set_attribute(name, &value);
            }
        }
    }
    for name in ["class", "tabindex", "role", "style"] {
        let _ = copy.remove_attribute(name);
    }
    let (originals, copies) = (original.children(), copy.children());
    for i in 0..originals.length() {
        if let (Some(original), Some(copy)) = (originals.item(i), copies.item(i)) {
            dress(&original, &copy);
        }
    }
}

/// Offers the drawing within an element as an SVG file.
pub fn save_svg(place: &Node, name: &str) {
    if let Some((text, ..)) = place.dyn_ref().and_then(svg) {
        download::text(&format!("{name}.svg"), "image/svg+xml", &text);
    }
}

/// Offers the drawing within an element as a PNG file.
pub fn save_png(place: &Node, name: &str) {
    let Some((text, width, height)) = place.dyn_ref().and_then(svg) else {
        return;
    };
    let Ok(image) = HtmlImageElement::new() else {
        return;
    };
    let (target, name) = (image.clone(), format!("{name}.png"));
    let paint = Closure::once_into_js(move || {
        let _ = rasterize(&target, width, height, name);
    });
    image.set_onload(Some(paint.unchecked_ref()));
    let data: String = js_sys::encode_uri_component(&text).into();
    image.set_src(&format!("data:image/svg+xml;charset=utf-8,{data}"));
}

fn rasterize(image: &HtmlImageElement, width: f64, height: f64, name: String) -> Result<(), JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    canvas.set_width((width * SCALE) as u32);
    canvas.set_height((height * SCALE) as u32);
    let context: CanvasRenderingContext2d = canvas.get_context("2d")?.ok_or(JsValue::NULL)?.unchecked_into();
    context.draw_image_with_html_image_element_and_dw_and_dh(
        image,
        0.0,
        0.0,
        width * SCALE,
        height * SCALE,
    )?;
    let save = Closure::once_into_js(move |blob: Option<Blob>| {
        if let Some(blob) = blob {
            download::file(&name, &blob);
        }
    });
    canvas.to_blob(save.unchecked_ref())
}
