//! Whom the page lets in: no violation that axe-core finds, in light and dark; and everything by keyboard.

use crate::page::{Page, on_page};
use serde_json::{Value, json};
use std::env;
use std::fs;

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn axe_finds_no_violation_in_light_and_dark() {
    let Ok(axe) = env::var("PLIMSOLL_AXE") else {
        return eprintln!("LEFT OUT: there is no axe-core on this machine");
    };
    let axe = fs::read_to_string(axe).unwrap();
    on_page("", |page| {
        page.until("the cards are judged", || {
            page.text("cards-summary").contains("Cheapest")
        });
        page.until("the timeline is drawn", || page.has("moment-tensors"));
        page.click("[data-testid=pin]");
        page.run("document.querySelector('.advanced').open = true", json!([]));
        page.until("it is pinned", || page.has("pinned"));
        page.run(&axe, json!([]));
        for scheme in ["light", "dark"] {
            page.session.devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme },
                    { "name": "prefers-reduced-motion", "value": "reduce" }] }),
            );
            assert_eq!(violations(page), Vec::<String>::new(), "in {scheme}");
        }
    });
}

/// What axe-core finds: the rule, and where.
pub fn violations(page: &Page) -> Vec<String> {
    let run = "axe.run(document, { resultTypes: ['violations'] }).then((found) => arguments[0](found.violations.map(
        (v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? '')).join('; '))))";
    let found = page
        .session
        .post("execute/async", json!({ "script": run, "args": [] }));
    let found = found.as_array().cloned().unwrap_or_default();
    found
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_tab_key_reaches_every_panel_in_the_order_of_the_page() {
    on_page("", |page| {
        page.until("the cards are judged", || {
            page.text("cards-summary").contains("Cheapest")
        });
        page.until("the timeline is drawn", || page.has("moment-tensors"));
        let mut panels: Vec<String> = Vec::new();
        for _ in 0..400 {
            page.press(&["Tab"]);
            let here = page.run(
                "const at = document.activeElement; return at === document.body ? '' :
                 (at.closest('.panel, header')?.className.replace('panel ', '') ?? at.tagName)",
                json!([]),
            );
            let here = here.as_str().unwrap_or_default().to_owned();
            if here.is_empty() {
                break;
            }
            if panels.last() != Some(&here) {
                panels.push(here);
            }
        }
        for panel in [
            "head", "scenario", "quant", "timeline", "map", "cards", "evidence",
        ] {
            assert!(panels.iter().any(|seen| seen == panel), "{panel} in {panels:?}");
        }
    });
}
