//! A static file server for this machine alone, with the headers that a careful host would send.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tiny_http::{Header, Method, Request, Response};

/// Nothing from elsewhere, no inline code or styles; wasm may be compiled.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; \
     style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

/// How many ports are tried from the wanted one on.
const PORTS: u16 = 20;

/// A running server. Dropping it leaves it running until the process ends.
pub struct Server {
    url: String,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves a folder on 127.0.0.1, at the wanted port or one of the next; port 0 takes any.
    ///
    /// # Errors
    /// All those ports are taken.
    pub fn start(folder: &Path, port: u16) -> Result<Self> {
        let Some(server) =
            (port..=port.saturating_add(PORTS)).find_map(|p| tiny_http::Server::http(("127.0.0.1", p)).ok())
        else {
            bail!("the ports from {port} on are all taken; name another with --port");
        };
        let port = server
            .server_addr()
            .to_ip()
            .context("the server has no port")?
            .port();
        let server = Arc::new(server);
        // A browser opens several connections at once; each worker answers one request after another.
        let workers = (0..4).map(|_| {
            let (server, folder) = (Arc::clone(&server), folder.to_path_buf());
            std::thread::spawn(move || {
                for request in server.incoming_requests() {
                    answer(request, &folder);
                }
            })
        });
        Ok(Server {
            url: format!("http://127.0.0.1:{port}/"),
            workers: workers.collect(),
        })
    }

    /// The address of the page.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for as long as the server runs.
    pub fn join(self) {
        for worker in self.workers {
            // A worker that panicked has told so already.
            let _ = worker.join();
        }
    }
}

fn answer(request: Request, folder: &Path) {
    let file = match request.method() {
        Method::Get | Method::Head => file_for(folder, request.url()),
        _ => None,
    };
    // That the browser went away is no concern of ours.
    let _ = match file.and_then(|path| Some((mime(&path), File::open(&path).ok()?))) {
        Some((mime, file)) => {
            let headers = [
                ("Content-Type", mime),
                ("Content-Security-Policy", SECURITY_POLICY),
                ("Cache-Control", "no-cache"),
                ("X-Content-Type-Options", "nosniff"),
            ];
            let mut response = Response::from_file(file);
            for header in headers
                .iter()
                .filter_map(|(name, value)| Header::from_bytes(*name, *value).ok())
            {
                response.add_header(header);
            }
            request.respond(response)
        }
        None => request.respond(Response::from_string("There is no such file.").with_status_code(404)),
    };
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
    fn a_taken_port_gives_way_to_the_next() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let first = Server::start(folder, 0).unwrap();
        let port: u16 = first
            .url()
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let second = Server::start(folder, port).unwrap();
        assert_ne!(first.url(), second.url());
    }
}
