//! The page as its tests see it: parts by their `data-testid`, what they say, and how to work them.

use crate::webdriver::Session;
use serde_json::{Value, json};
use std::env;
use std::time::{Duration, Instant};

/// How long a change may take to show, on the slowest machine; tests wait only as long as it does take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open page.
pub struct Page {
    /// The browser behind it.
    pub session: Session,
}

/// Opens the page at a fragment such as `#seq=4096`, lets the test work it, and sees that the console stayed empty.
#[track_caller]
pub fn on_page(fragment: &str, test: impl FnOnce(&Page)) {
    let page = Page {
        session: Session::start(),
    };
    page.open(fragment);
    test(&page);
    assert_eq!(
        page.session.console(),
        Vec::<String>::new(),
        "the console says nothing"
    );
}

impl Page {
    /// Loads the page at a fragment and waits until it has started.
    #[track_caller]
    pub fn open(&self, fragment: &str) {
        let site = env::var("PLIMSOLL_SITE").expect("run by 'cargo xtask test' or 'cargo xtask browser'");
        // By way of an empty page: a change of the fragment alone would not load anything.
        self.session.post("url", json!({ "url": "about:blank" }));
        self.session
            .post("url", json!({ "url": format!("{site}{fragment}") }));
        self.until("the page has started", || {
            self.run("return !document.getElementById('before-start')") == true
        });
    }

    /// Runs a function body in the page.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.session.run(script, json!([]))
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < PATIENCE, "in vain waited for: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
