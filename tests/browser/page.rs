//! The page as its tests see it: parts by their `data-testid`, what they say, and how to work them.

use crate::webdriver::Session;
use serde_json::{Value, json};
use std::env;
use std::time::{Duration, Instant};

/// How long a change may take to show on the slowest machine; tests wait only as long as it does take.
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
    assert_eq!(page.console(), Vec::<String>::new(), "the console says nothing");
}

/// What the page answers: the verdict in words, and the quantities in bytes.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// Does it fit?
    pub verdict: String,
    /// Peak of live tensors.
    pub allocated: u64,
    /// What the caching allocator holds.
    pub reserved: u64,
    /// What the process is expected to take.
    pub process: u64,
}

impl Page {
    /// Loads the page at a fragment and waits for its answer.
    #[track_caller]
    pub fn open(&self, fragment: &str) {
        self.load(fragment);
        self.until("the page answers", || self.answers());
        self.begin();
    }

    /// Loads the page at a fragment and waits for nothing but its document.
    #[track_caller]
    pub fn load(&self, fragment: &str) {
        let site = env::var("PLIMSOLL_SITE").expect("run by 'cargo xtask test' or 'cargo xtask browser'");
        // By way of an empty page: a change of the fragment alone would not load anything.
        self.session.post("url", json!({ "url": "about:blank" }));
        self.session
            .post("url", json!({ "url": format!("{site}{fragment}") }));
    }

    /// Does the program answer? Before it is here, an answer stands in the document.
    #[track_caller]
    fn answers(&self) -> bool {
        self.run(
            "return !!document.querySelector('main:not(.before-start) [data-testid=verdict]')",
            json!([]),
        ) == true
    }

    /// Begins to do something, for which the page loads the rest of itself; waits until it is here. Tests read also what
    /// is far from the screen, which the page does not draw before it comes near.
    #[track_caller]
    fn begin(&self) {
        self.run(
            "document.styleSheets[0].insertRule('.panel { content-visibility: visible !important; }');
             dispatchEvent(new Event('pointermove'))",
            json!([]),
        );
        self.until("the rest of the page is here", || {
            self.run(
                "return document.querySelector('.column') && !document.querySelector('second-part')",
                json!([]),
            ) == true
        });
    }

    /// Loads the page again, at the address where it is.
    #[track_caller]
    pub fn reload(&self) {
        self.session.post("refresh", json!({}));
        self.until("the page answers again", || self.answers());
        self.begin();
    }

    /// The fragment in the address bar, with its `#`.
    #[track_caller]
    pub fn fragment(&self) -> String {
        text_of(self.run("return location.hash", json!([])))
    }

    /// Runs a function body in the page.
    #[track_caller]
    pub fn run(&self, script: &str, args: Value) -> Value {
        self.session.run(script, args)
    }

    /// Is this part on the page?
    #[track_caller]
    pub fn has(&self, part: &str) -> bool {
        self.of(part, "return !!part") == true
    }

    /// What this part says.
    #[track_caller]
    pub fn text(&self, part: &str) -> String {
        text_of(self.of(part, "return part.innerText"))
    }

    /// The markup of this part.
    #[track_caller]
    pub fn markup(&self, part: &str) -> String {
        text_of(self.of(part, "return part.outerHTML"))
    }

    /// The value of this field.
    #[track_caller]
    pub fn value(&self, part: &str) -> String {
        text_of(self.of(part, "return (part.querySelector('input:checked') ?? part).value"))
    }

    /// The bytes that a quantity stands for; on screen they are rounded.
    #[track_caller]
    pub fn bytes(&self, quantity: &str) -> u64 {
        let value = self.value(quantity);
        value
            .parse()
            .unwrap_or_else(|_| panic!("{quantity}: '{value}' is no number of bytes"))
    }

    /// What the page answers now.
    #[track_caller]
    pub fn answer(&self) -> Answer {
        Answer {
            verdict: self.text("verdict"),
            allocated: self.bytes("allocated"),
            reserved: self.bytes("reserved"),
            process: self.bytes("process"),
        }
    }

    /// Gives a field a value: a text, one of a list, or the one of several buttons that has this value.
    #[track_caller]
    pub fn set(&self, part: &str, value: &str) {
        self.run(
            "const part = document.querySelector(`[data-testid='${arguments[0]}']`);
             const choice = part.querySelector(`input[value='${arguments[1]}']`);
             if (choice) { choice.click(); return; }
             part.value = arguments[1];
             for (const kind of ['input', 'change']) part.dispatchEvent(new Event(kind, { bubbles: true }));",
            json!([part, value]),
        );
    }

    /// Types into a field in place of what it holds, and presses Enter, key by key as a person would.
    #[track_caller]
    pub fn type_into(&self, part: &str, text: &str) {
        let css = format!("[data-testid='{part}']");
        let element = self
            .session
            .post("element", json!({ "using": "css selector", "value": css }));
        let id = element
            .as_object()
            .and_then(|names| names.values().next())
            .and_then(Value::as_str)
            .expect("an id");
        self.of(part, "part.focus(); part.select()");
        const ENTER: char = '\u{e007}';
        self.session.post(
            &format!("element/{id}/value"),
            json!({ "text": format!("{text}{ENTER}") }),
        );
    }

    /// What the console has said since it was last asked, but for the browser's own remark that its machine has no
    /// graphics adapter.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let said = self.session.console();
        said.into_iter()
            .filter(|said| !said.contains("No available adapters"))
            .collect()
    }

    /// Clicks the first element of a selector.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let click = "const at = document.querySelector(arguments[0]);
             at.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, composed: true }))";
        self.run(click, json!([css]));
    }

    /// Puts the focus on the first element of a selector.
    #[track_caller]
    pub fn focus(&self, css: &str) {
        self.run("document.querySelector(arguments[0]).focus()", json!([css]));
    }

    /// Presses keys, one after the other, where the focus is.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        let code = |key: &str| match key {
            "Tab" => "\u{e004}".to_owned(),
            "Enter" => "\u{e007}".to_owned(),
            "Home" => "\u{e011}".to_owned(),
            "ArrowLeft" => "\u{e012}".to_owned(),
            key => key.to_owned(),
        };
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": code(key) })))
            .collect();
        self.session.post(
            "actions",
            json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }),
        );
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain: {what}; at {}",
                self.fragment()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a function body about one part.
    #[track_caller]
    fn of(&self, part: &str, body: &str) -> Value {
        let find = "const part = document.querySelector(`[data-testid='${arguments[0]}']`);";
        self.run(&format!("{find} {body}"), json!([part]))
    }
}

fn text_of(value: Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
