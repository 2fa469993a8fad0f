//! Firefox, over its own remote protocol: a length, a colon and JSON, there and back.

use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long Firefox may take to start, and over one command.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Firefox with a profile of its own; ended when dropped.
pub struct Firefox {
    process: Child,
    profile: PathBuf,
    stream: RefCell<BufReader<TcpStream>>,
    last: Cell<u64>,
}

impl Firefox {
    /// Starts it without a screen.
    pub fn start(program: &str) -> Self {
        // Where Firefox is a snap it may not read the folder for temporary files.
        let profile =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("firefox-{}", std::process::id()));
        fs::create_dir_all(&profile).unwrap();
        fs::write(profile.join("user.js"), "user_pref(\"marionette.port\", 0);\n").unwrap();
        let process = Command::new(program)
            .args(["--headless", "--marionette", "--no-remote", "--profile"])
            .arg(&profile)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Firefox starts");
        let port = profile.join("MarionetteActivePort");
        let began = Instant::now();
        let stream = loop {
            let port = fs::read_to_string(&port)
                .ok()
                .and_then(|port| port.trim().parse().ok());
            if let Some(stream) = port.and_then(|port: u16| TcpStream::connect(("127.0.0.1", port)).ok()) {
                break stream;
            }
            assert!(began.elapsed() < PATIENCE, "Firefox does not listen");
            sleep(Duration::from_millis(50));
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let firefox = Firefox {
            process,
            profile,
            stream: BufReader::new(stream).into(),
            last: Cell::new(0),
        };
        firefox.read();
        firefox
            .ask("WebDriver:NewSession", json!({ "capabilities": {} }))
            .unwrap();
        firefox
    }

    /// Sends a command; its result, or its error in words.
    pub fn ask(&self, command: &str, params: Value) -> Result<Value, String> {
        self.last.set(self.last.get() + 1);
        let message = json!([0, self.last.get(), command, params]).to_string();
        write!(self.stream.borrow_mut().get_mut(), "{}:{message}", message.len()).unwrap();
        let mut answer = self.read();
        match answer[2].is_null() {
            true => Ok(answer[3].take()),
            false => Err(answer[2].to_string()),
        }
    }

    fn read(&self) -> Value {
        let mut stream = self.stream.borrow_mut();
        let mut length = Vec::new();
        stream.read_until(b':', &mut length).unwrap();
        length.pop();
        let length = String::from_utf8(length).unwrap().parse().unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).unwrap();
        serde_json::from_slice(&message).unwrap()
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
