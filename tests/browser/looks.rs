//! The page at the widths and in the colours that people have. The pictures are left in `target/screenshots`.

use crate::page::{Page, on_page};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::fs;
use std::path::Path;

/// A small phone, a small laptop, a large screen; in CSS pixels.
const WIDTHS: [u32; 3] = [360, 1280, 1920];

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_page_needs_no_sideways_scrolling() {
    on_page("", |page| {
        page.until("the cards are judged", || {
            page.text("cards-summary").contains("Cheapest")
        });
        page.until("advice is given", || page.has("levers"));
        page.until("the longest sequence is known", || {
            page.text("largest-seq").len() > 2
        });
        for scheme in ["light", "dark"] {
            for width in WIDTHS {
                look(page, width, scheme);
                // The place of a hidden scrollbar is kept.
                let over = "const page = document.documentElement; return Math.max(0, page.scrollWidth - page.clientWidth)";
                assert_eq!(page.run(over, json!([])), 0, "at {width} pixels, {scheme}");
                save(page, &format!("{width}-{scheme}.png"));
            }
        }
    });
}

/// Makes the window so wide and asks for these colours.
pub fn look(page: &Page, width: u32, scheme: &str) {
    let phone = width < 600;
    page.session.devtools(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": width, "height": if phone { 740 } else { 900 }, "deviceScaleFactor": 1, "mobile": phone }),
    );
    page.session.devtools(
        "Emulation.setEmulatedMedia",
        json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
    );
    page.session
        .devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
    page.until("the page has its width", || {
        page.run("return innerWidth", json!([])) == width
    });
    // Charts are laid out anew for their width once the page has its own.
    let wide = "return [...document.querySelectorAll('.chart > svg[viewBox]')]
        .filter(svg => Math.abs(svg.viewBox.baseVal.width - svg.clientWidth) > 2).length";
    page.until("the charts have their widths", || page.run(wide, json!([])) == 0);
    // Two frames: one in which the parts learn their widths, one in which they are drawn.
    page.session.post(
        "execute/async",
        json!({ "script": "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))", "args": [] }),
    );
}

/// Saves the whole page as a picture.
pub fn save(page: &Page, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    fs::create_dir_all(&folder).unwrap();
    let picture = page.session.devtools(
        "Page.captureScreenshot",
        json!({ "format": "png", "captureBeyondViewport": true }),
    );
    let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}
