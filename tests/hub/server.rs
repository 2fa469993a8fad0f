//! A server that plays the Hub, on this machine.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a file is answered for.
#[derive(Clone)]
pub enum Answer {
    /// Its bytes, or those of a range; the file is so long, of which only the first are there.
    File(Vec<u8>, u64),
    /// The whole file, whatever was asked for.
    WholeOnly(Vec<u8>),
    /// A status, and `Retry-After`.
    Status(u16, Option<u64>),
    /// Sent on to another path.
    Redirect(String),
    /// Half of what is announced.
    Truncated(Vec<u8>),
    /// Nothing for so many seconds.
    Slow(u64),
    /// The file for those who show this token, 401 for others.
    Gated(Vec<u8>, &'static str),
}

/// What the Hub says to pages of other sites.
const CORS: &str = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: authorization, range\r\n\
     Access-Control-Expose-Headers: Content-Range, Retry-After\r\n";

/// A running server.
pub struct FakeHub {
    pub address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeHub {
    /// Serves answers by their paths.
    pub fn start(answers: Vec<(String, Answer)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<HashMap<String, Answer>> = Arc::new(answers.into_iter().collect());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, log) = (Arc::clone(&answers), Arc::clone(&log));
                thread::spawn(move || drop(answer(stream, &answers, &log)));
            }
        });
        FakeHub { address, asked }
    }

    /// What was asked for: path, range, and whether a token was shown.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &HashMap<String, Answer>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = headers.get("range").cloned();
    let token = headers.get("authorization").cloned().unwrap_or_default();
    let mut send = |status: &str, more: &str, length: u64, body: &[u8]| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{CORS}{more}\r\n"
        )?;
        stream.write_all(body)
    };
    // A page asks first whether it may.
    if first.starts_with("OPTIONS") {
        return send("204 No Content", "", 0, b"");
    }
    log.lock()
        .unwrap()
        .push(format!("{path} {} {token}", range.clone().unwrap_or_default()));
    let whole = |body: &[u8]| (body.len() as u64, body.to_vec());
    match answers.get(&path).cloned().unwrap_or(Answer::Status(404, None)) {
        Answer::File(bytes, length) => match range.as_deref().and_then(parse) {
            None => send("200 OK", "", length, &bytes),
            Some((begin, last)) => {
                let end = (last + 1).min(length);
                let part = &bytes[(begin as usize).min(bytes.len())..(end as usize).min(bytes.len())];
                let range = format!("Content-Range: bytes {begin}-{}/{length}\r\n", end - 1);
                send("206 Partial Content", &range, part.len() as u64, part)
            }
        },
        Answer::WholeOnly(bytes) => send("200 OK", "", bytes.len() as u64, &bytes),
        Answer::Status(status, wait) => {
            let more = wait.map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
            send(&format!("{status} No"), &more, 0, b"")
        }
        Answer::Redirect(to) => send("302 Found", &format!("Location: {to}\r\n"), 0, b""),
        Answer::Truncated(bytes) => send("200 OK", "", bytes.len() as u64, &bytes[..bytes.len() / 2]),
        Answer::Slow(seconds) => {
            thread::sleep(Duration::from_secs(seconds));
            send("200 OK", "", 0, b"")
        }
        Answer::Gated(bytes, wanted) => {
            let (length, bytes) = whole(&bytes);
            match token == format!("Bearer {wanted}") {
                true => send("200 OK", "", length, &bytes),
                false => send("401 Unauthorized", "", 0, b""),
            }
        }
    }
}

fn parse(range: &str) -> Option<(u64, u64)> {
    let (begin, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((begin.parse().ok()?, last.parse().ok()?))
}
