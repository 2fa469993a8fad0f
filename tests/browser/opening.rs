//! What is on screen before the program is here, and what is not drawn before it comes near.

use crate::page::Page;
use crate::webdriver::Session;
use serde_json::json;

/// The document alone: the program cannot be loaded.
fn document(fragment: &str) -> Page {
    let page = Page {
        session: Session::start(),
    };
    page.session.devtools("Network.enable", json!({}));
    page.session
        .devtools("Network.setBlockedURLs", json!({ "urls": ["*/app-*.js"] }));
    page.load(fragment);
    page
}

fn shows(page: &Page, part: &str) -> bool {
    let visible = "return !!document.querySelector(`[data-testid='${arguments[0]}']`)?.checkVisibility()";
    page.run(visible, json!([part])) == true
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_document_answers_the_bare_address_as_the_program_does() {
    let page = document("");
    assert!(shows(&page, "verdict") && shows(&page, "process"));
    let answer = page.answer();
    page.session
        .devtools("Network.setBlockedURLs", json!({ "urls": [] }));
    page.open("");
    assert_eq!(page.answer(), answer);
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_run_in_the_address_is_not_answered_by_the_document() {
    let page = document("#seq=4096");
    assert!(!shows(&page, "verdict") && !shows(&page, "process"));
    let title = page.run("return document.querySelector('h1').checkVisibility()", json!([]));
    assert_eq!(title, true);
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn panels_are_drawn_when_they_come_near() {
    let page = Page {
        session: Session::start(),
    };
    page.open("");
    // What the tests have put in the way.
    page.run("document.styleSheets[0].deleteRule(0)", json!([]));
    let is_drawn = || {
        page.run(
            "return document.querySelector('.cards table')?.checkVisibility({ contentVisibilityAuto: true })",
            json!([]),
        )
    };
    page.until("the cards are far", || is_drawn() == false);
    page.run("document.querySelector('.cards').scrollIntoView()", json!([]));
    page.until("the cards are near", || is_drawn() == true);
}
