//! The page in a headless browser. `cargo xtask test` builds and serves it; `cargo xtask browser NAME` runs some.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod page;
mod webdriver;

use page::on_page;

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_page_starts_without_a_word_on_the_console() {
    on_page("", |page| {
        assert_eq!(page.run("return document.title.split(':')[0]"), "Plimsoll")
    });
}
