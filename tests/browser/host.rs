//! A page of somebody else: its own origin, its own policy, its own styles.

use crate::page::Page;
use crate::webdriver::Session;
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Everything that a page needs to show widgets, and nothing else: `SITE` is ours, `'self'` the host's.
pub const STRICT: &str = "default-src 'none'; script-src SITE 'wasm-unsafe-eval'; connect-src SITE; frame-src SITE; style-src 'self'";

/// A file that a host serves: the end of its address, and what is in it.
type File = (&'static str, String);

/// Serves files on an origin of its own, for as long as the test process runs. The first is the page.
fn serve(policy: String, files: Vec<File>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser that goes away is no concern of ours.
            let _ = answer(&stream, &policy, &files);
        }
    });
    address
}

fn answer(mut stream: &TcpStream, policy: &str, files: &[File]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let asked = files
        .iter()
        .find(|(name, _)| first.contains(&format!("/{name} ")));
    let (name, body) = asked.unwrap_or(&files[0]);
    let mime = match name.rsplit('.').next() {
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        _ => "text/html; charset=utf-8",
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {}\r\nContent-Security-Policy: {policy}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Opens an example as its folder has it, but for the address of our site, and lets the test look at it.
#[track_caller]
pub fn on_example(folder: &str, script: &'static str, test: impl FnOnce(&Host)) {
    let site = env::var("PLIMSOLL_SITE").expect("run by 'cargo xtask test' or 'cargo xtask browser'");
    let read = |name: &str| {
        let file = format!("{}/examples/{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        text.replace("\"../embed/", "\"embed/")
            .replace("\"embed/", &format!("\"{site}embed/"))
    };
    let files = vec![("index.html", read("index.html")), (script, read(script))];
    let page = Page {
        session: Session::start(),
    };
    let address = serve("default-src * data: 'wasm-unsafe-eval'".into(), files);
    page.session.post("url", json!({ "url": address }));
    test(&Host(page));
}

/// Opens a host page whose body may say `SITE`, lets the test work it, and sees that the console stayed empty but for
/// what a test expects.
#[track_caller]
pub fn on_host(policy: &str, css: &'static str, body: &str, test: impl FnOnce(&Host)) {
    on_host_in(Session::start(), policy, css, body, test);
}

/// As [`on_host`], in a browser of one's choice.
#[track_caller]
pub fn on_host_in(session: Session, policy: &str, css: &'static str, body: &str, test: impl FnOnce(&Host)) {
    let site = env::var("PLIMSOLL_SITE").expect("run by 'cargo xtask test' or 'cargo xtask browser'");
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>A recipe</title><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/host.css\"><body>{}</body></html>",
        body.replace("SITE/", &site)
    );
    let policy = policy.replace("SITE", site.trim_end_matches('/'));
    let files = vec![("", html), ("host.css", css.to_owned())];
    let address = serve(format!("{policy}; img-src data:"), files);
    let page = Page { session };
    page.session.post("url", json!({ "url": address }));
    test(&Host(page));
}

/// A host page.
pub struct Host(pub Page);

impl Host {
    /// What an expression gives for the `n`th widget's shadow tree, as `root`, and the widget, as `widget`.
    #[track_caller]
    pub fn of(&self, n: usize, expression: &str) -> Value {
        let script = format!(
            "const widget = document.querySelectorAll('plimsoll-widget')[arguments[0]];
             const root = widget?.shadowRoot?.querySelector('.root');
             return root && ({expression})"
        );
        self.0.run(&script, json!([n]))
    }

    /// The text of the first part of this class in the `n`th widget; empty where there is none.
    #[track_caller]
    pub fn text(&self, n: usize, class: &str) -> String {
        let text = self.of(n, &format!("root.querySelector('.{class}')?.textContent ?? ''"));
        text.as_str().unwrap_or_default().to_owned()
    }
}
