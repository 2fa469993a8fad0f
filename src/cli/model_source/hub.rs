//! A repository of the Hub, or of a server that speaks like it (`HF_ENDPOINT`): configurations whole, of weights the
//! headers only. A token goes to that server alone, not to where it redirects.

use std::fs;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::Source;
use super::cache::{home, variable};
use crate::checkpoint::{LONGEST_FILE, Piece, Refusal, Reply};
use crate::cli::Problems;

/// The Hub.
const ENDPOINT: &str = "https://huggingface.co";
/// Seconds that an answer may take, unless `HF_HUB_DOWNLOAD_TIMEOUT` says otherwise.
const PATIENCE: u64 = 20;

pub(super) struct Hub {
    agent: Agent,
    endpoint: String,
    id: String,
    revision: String,
    token: Option<String>,
    patience: u64,
}

/// Has the user forbidden requests?
pub(super) fn is_offline() -> bool {
    let set = |name| variable(name).is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "False"));
    set("HF_HUB_OFFLINE") || set("TRANSFORMERS_OFFLINE")
}

fn token() -> Option<String> {
    let written = || {
        let path = variable("HF_TOKEN_PATH")
            .map(Into::into)
            .or_else(|| Some(home()?.join("token")))?;
        fs::read_to_string(path).ok()
    };
    let token = variable("HF_TOKEN").or_else(written)?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

impl Hub {
    /// A repository at a revision. Nothing is asked yet.
    ///
    /// # Errors
    /// `HF_ENDPOINT` is no address.
    pub fn new(id: &str, revision: &str) -> Result<Self, Problems> {
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into());
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Problems::one(
                "HF_ENDPOINT",
                format!("'{endpoint}' is no address"),
            ));
        }
        let patience = variable("HF_HUB_DOWNLOAD_TIMEOUT")
            .and_then(|text| text.parse().ok())
            .unwrap_or(PATIENCE);
        let seconds = Some(Duration::from_secs(patience.max(1)));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(seconds)
            .timeout_recv_response(seconds)
            .timeout_recv_body(seconds)
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Hub {
            agent,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            id: id.into(),
            revision: revision.into(),
            token: token(),
            patience,
        })
    }

    /// Its address, for the user.
    pub fn place(&self) -> String {
        format!("{}/{}", self.endpoint, self.id)
    }

    fn sentence(&self, refusal: &Refusal) -> String {
        refusal.sentence(&self.id, &self.endpoint, self.token.is_some(), false)
    }

    fn ask(&self, piece: &Piece) -> Result<Response<Body>, Refusal> {
        let Piece { file, begin, length } = piece;
        let address = format!("{}/{}/resolve/{}/{file}", self.endpoint, self.id, self.revision);
        let mut request = self.agent.get(address);
        if let Some(length) = length {
            let last = begin.saturating_add(*length).saturating_sub(1);
            request = request.header("Range", format!("bytes={begin}-{last}"));
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| match error {
            ureq::Error::Timeout(_) => Refusal::Slow(self.patience),
            other => Refusal::Unreachable(other.to_string()),
        })
    }

    fn receive(&self, piece: &Piece) -> Result<Reply, Refusal> {
        let mut response = self.ask(piece)?;
        let headers = response.headers();
        let announced = number(headers, "content-length");
        let (length, expected) = match response.status().as_u16() {
            404 => return Ok(Reply::Missing),
            416 => return Err(Refusal::CutShort),
            206 => {
                let range = headers
                    .get("content-range")
                    .and_then(|range| range.to_str().ok())
                    .unwrap_or("");
                let (begin, length) = content_range(range).ok_or(Refusal::NoRanges)?;
                if begin != piece.begin {
                    return Err(Refusal::NoRanges);
                }
                (length, announced)
            }
            200 if piece.begin > 0 => return Err(Refusal::NoRanges),
            // The whole file, of which no more is read than was asked for.
            200 => (announced, announced),
            429 => return Err(Refusal::Status(429, number(headers, "retry-after"))),
            status => return Err(Refusal::Status(status, None)),
        };
        let most = piece.length.unwrap_or(LONGEST_FILE);
        let mut bytes = Vec::new();
        let read = response.body_mut().as_reader().take(most).read_to_end(&mut bytes);
        read.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => Refusal::Slow(self.patience),
            _ if error.to_string().contains("timeout") => Refusal::Slow(self.patience),
            _ => Refusal::CutShort,
        })?;
        if expected.is_some_and(|expected| (bytes.len() as u64) < expected.min(most)) {
            return Err(Refusal::CutShort);
        }
        Ok(Reply::Bytes(bytes, length))
    }
}

impl Source for Hub {
    fn read(&self, piece: &Piece) -> Result<Reply, String> {
        self.receive(piece).map_err(|refusal| self.sentence(&refusal))
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `bytes 0-99/1234`: where it begins, and the length of the whole where it is told.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let begin = range.split_once('-')?.0.trim().parse().ok()?;
    Some((begin, length.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn ranges_are_read_as_servers_write_them() {
        assert_eq!(content_range("bytes 0-99/1234"), Some((0, Some(1234))));
        assert_eq!(content_range("bytes 8-9/*"), Some((8, None)));
        assert_eq!(content_range("items 0-1/2"), None);
    }
}
