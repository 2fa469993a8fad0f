//! A static file server for this machine alone, with the headers that a careful host would send.

use crate::hashed;
use anyhow::{Result, bail};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Nothing from elsewhere but what the user asks the Hub for, no inline code or styles; wasm may be compiled.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     connect-src 'self' https://huggingface.co https://*.huggingface.co https://*.hf.co; \
     style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

/// How many ports are tried from the wanted one on.
const PORTS: u16 = 20;

/// The longest request that is read, in bytes.
const LONGEST_REQUEST: u64 = 64 << 10;

/// A running server; it runs until the process ends.
pub struct Server {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
}

impl Server {
    /// Serves a folder on 127.0.0.1, at the wanted port or one of the next; port 0 takes any. `hidden` targets are not
    /// served.
    ///
    /// # Errors
    /// All those ports are taken.
    pub fn start(folder: &Path, port: u16, hidden: &'static [&'static str]) -> Result<Self> {
        let mut ports = port..=port.saturating_add(PORTS);
        let Some(listener) = ports.find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        else {
            bail!("the ports from {port} on are all taken; name another with --port");
        };
        let address = listener.local_addr()?;
        let folder: Arc<Path> = folder.into();
        // A thread for each connection, for browsers open some that they do not use at once.
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = Arc::clone(&folder);
                // That the browser went away is no concern of ours.
                thread::spawn(move || drop(answer(stream, &folder, hidden)));
            }
        });
        Ok(Server { address, acceptor })
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Waits for as long as the server runs.
    pub fn join(self) {
        // An acceptor that panicked has told so already.
        let _ = self.acceptor.join();
    }
}

/// Reads one request, answers it, and closes the connection.
fn answer(mut stream: TcpStream, folder: &Path, hidden: &[&str]) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(LONGEST_REQUEST)).split(b'\n');
    let first = lines.next().transpose()?.unwrap_or_default();
    // No header matters, but a connection closed on unread ones would be reset.
    for line in lines {
        if line?.trim_ascii().is_empty() {
            break;
        }
    }
    let first = String::from_utf8_lossy(&first);
    let mut keep = "no-cache";
    let (status, mime, body) = match first.trim_end().split(' ').collect::<Vec<_>>()[..] {
        ["GET", target, _] => match file_for(folder, target).filter(|_| !hidden.contains(&target)) {
            Some(path) => {
                if hashed::has_hash(target) {
                    keep = hashed::FOR_GOOD;
                }
                ("200 OK", mime(&path), fs::read(&path)?)
            }
            None => (
                "404 Not Found",
                "text/plain",
                b"There is no such file.\n".to_vec(),
            ),
        },
        _ => (
            "405 Method Not Allowed",
            "text/plain",
            b"Files can only be read.\n".to_vec(),
        ),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {SECURITY_POLICY}\r\nX-Content-Type-Options: nosniff\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Cache-Control: {keep}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// The file that a request's target names: below the folder, never outside of it.
fn file_for(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(path);
    (inside && file.is_file()).then_some(file)
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_address_is_the_page() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(file_for(root, "/"), Some(root.join("index.html")));
        assert_eq!(file_for(root, "/?embed=1"), Some(root.join("index.html")));
        assert_eq!(file_for(root, "/www/boot.js"), Some(root.join("www/boot.js")));
    }

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for target in [
            "/../Cargo.toml",
            "/bin/../../Cargo.toml",
            "//etc/passwd",
            "../Cargo.toml",
            "/..%2fCargo.toml",
            "/bin",
        ] {
            assert_eq!(file_for(&folder, target), None, "{target}");
        }
    }

    #[test]
    fn wasm_has_the_type_that_browsers_compile_while_it_loads() {
        assert_eq!(mime(Path::new("app_bg.wasm")), "application/wasm");
    }

    #[test]
    fn hosts_are_told_the_same_policy() {
        for told in [
            include_str!("../../../www/_headers"),
            include_str!("../../../docs/hosting.md"),
        ] {
            assert!(told.contains(&format!("Content-Security-Policy: {SECURITY_POLICY}\n")));
        }
        let told = include_str!("../../../docs/hosting.md");
        assert_eq!(
            told.matches(hashed::FOR_GOOD).count(),
            3,
            "in general, nginx, Caddy"
        );
    }

    #[test]
    fn a_taken_port_gives_way_to_the_next() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let first = Server::start(folder, 0, &[]).unwrap();
        let second = Server::start(folder, first.address.port(), &[]).unwrap();
        assert_ne!(first.url(), second.url());
    }

    #[test]
    fn connections_that_stay_silent_keep_nobody_waiting() {
        let server = Server::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("www"), 0, &[]).unwrap();
        let silent: Vec<_> = (0..20)
            .map(|_| TcpStream::connect(server.address).unwrap())
            .collect();
        let mut stream = TcpStream::connect(server.address).unwrap();
        write!(
            stream,
            "GET /boot.js HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/javascript; charset=utf-8\r\n"));
        assert!(answer.ends_with(include_str!("../../../www/boot.js")));
        drop(silent);
    }
}
