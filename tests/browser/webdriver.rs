//! A small WebDriver client: the few commands that the tests use, over plain HTTP; some of them also for Firefox.

use crate::marionette::Firefox;
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long the browser may take over one command.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser window of its own, with a fresh profile; closed when dropped.
pub enum Session {
    /// Chromium, through its driver.
    Chromium { driver: String, path: String },
    /// Firefox, which can be sent to an address and run scripts, and no more.
    Firefox(Firefox),
}

impl Session {
    /// Starts a headless browser through the driver that `cargo xtask` has started.
    pub fn start() -> Self {
        let driver = env::var("PLIMSOLL_DRIVER").expect("run by 'cargo xtask test' or 'cargo xtask browser'");
        let mut options = json!({ "args": arguments() });
        if let Ok(program) = env::var("PLIMSOLL_BROWSER") {
            options["binary"] = program.into();
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = request(&driver, "POST", "/session", Some(&capabilities)).expect("the browser starts");
        let id = session["sessionId"].as_str().expect("a session has an id");
        Session::Chromium {
            path: format!("/session/{id}"),
            driver,
        }
    }

    /// Starts a headless Firefox, where `cargo xtask` has found one.
    pub fn firefox() -> Option<Self> {
        let program = env::var("PLIMSOLL_FIREFOX").ok()?;
        Some(Session::Firefox(Firefox::start(&program)))
    }

    /// Sends a command of this session.
    #[track_caller]
    pub fn post(&self, command: &str, body: Value) -> Value {
        let answer = match (self, command) {
            (Session::Chromium { driver, path }, _) => {
                request(driver, "POST", &format!("{path}/{command}"), Some(&body))
            }
            (Session::Firefox(firefox), "url") => firefox.ask("WebDriver:Navigate", body),
            (Session::Firefox(firefox), "execute/sync") => firefox
                .ask("WebDriver:ExecuteScript", body)
                .map(|mut result| result["value"].take()),
            (Session::Firefox(_), _) => panic!("{command} is not written for Firefox"),
        };
        answer.unwrap_or_else(|problem| panic!("{command}: {problem}"))
    }

    /// Runs a function body in the page and returns what it returns.
    #[track_caller]
    pub fn run(&self, script: &str, args: Value) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": args }))
    }

    /// A command of the Chrome DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": params }))
    }

    /// What the console has said since it was last asked; Firefox does not tell.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        if let Session::Firefox(_) = self {
            return Vec::new();
        }
        let entries = self.post("se/log", json!({ "type": "browser" }));
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| format!("{}: {}", entry["level"], entry["message"]))
            .collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Session::Chromium { driver, path } = self {
            // A browser that is already gone needs no closing.
            let _ = request(driver, "DELETE", path, None);
        }
    }
}

/// Keeps the browser off screen and away from the network.
fn arguments() -> Vec<&'static str> {
    let mut arguments = vec![
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--force-color-profile=srgb",
        "--lang=en-US",
    ];
    // The sandbox refuses root, and the kernels of many CI machines refuse the sandbox.
    if is_root() || env::var_os("CI").is_some() {
        arguments.push("--no-sandbox");
    }
    arguments
}

/// On Linux the folder of one's own process belongs to one's user.
fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

/// One HTTP exchange with the driver; the `value` of its answer, or its error in words.
fn request(driver: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let answer = exchange(driver, method, path, body)
        .map_err(|problem| format!("no answer from the driver: {problem}"))?;
    let mut answer: Value =
        serde_json::from_slice(&answer).map_err(|problem| format!("not JSON: {problem}"))?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!(
            "{error}: {}",
            value["message"].as_str().unwrap_or_default()
        )),
        None => Ok(value),
    }
}

fn exchange(driver: &str, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(driver)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {driver}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    // The driver keeps the connection open, so its length says where the answer ends.
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    Ok(answer)
}
