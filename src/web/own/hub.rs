//! A repository of the Hub: asked only when the user asks, for configurations and headers.

use super::within::within;
use crate::checkpoint::{LONGEST_FILE, Piece, Refusal, Reply};
use gloo_net::http::{Request, Response};
use std::cell::RefCell;
use web_sys::AbortController;

/// The Hub.
pub const ENDPOINT: &str = "https://huggingface.co";

/// Seconds that an answer may take.
const PATIENCE: u64 = 30;
/// A server that sends a whole file where a piece was asked for is not listened to beyond this, in bytes.
const LONGEST_WHOLE: u64 = 8 << 20;

/// A repository.
pub struct Hub {
    /// The address of the hub.
    pub endpoint: String,
    /// The repository's id.
    pub id: String,
    /// Shown to the hub, and kept nowhere.
    pub token: String,
}

thread_local! {
    /// Ends the request that is under way.
    static ASKED: RefCell<Option<AbortController>> = const { RefCell::new(None) };
}

/// Ends the request that is under way, if any.
pub fn abort() {
    if let Some(asked) = ASKED.take() {
        asked.abort();
    }
}

impl Hub {
    /// Reads a piece.
    ///
    /// # Errors
    /// A sentence for the user.
    pub async fn read(&self, piece: &Piece) -> Result<Reply, String> {
        self.receive(piece)
            .await
            .map_err(|refusal| refusal.sentence(&self.id, &self.endpoint, !self.token.is_empty(), true))
    }

    async fn receive(&self, piece: &Piece) -> Result<Reply, Refusal> {
        let Piece { file, begin, length } = piece;
        let endpoint = self.endpoint.trim_end_matches('/');
        let address = format!("{endpoint}/{}/resolve/main/{file}", self.id);
        let abort = AbortController::new().ok();
        ASKED.set(abort.clone());
        let mut request =
            Request::get(&address).abort_signal(abort.as_ref().map(AbortController::signal).as_ref());
        if let Some(length) = length {
            let last = begin.saturating_add(*length).saturating_sub(1);
            request = request.header("Range", &format!("bytes={begin}-{last}"));
        }
        if !self.token.is_empty() {
            request = request.header("Authorization", &format!("Bearer {}", self.token));
        }
        let asked = async {
            let response = request
                .send()
                .await
                .map_err(|_| Refusal::Unreachable(String::new()))?;
            let length = judge(&response, piece)?;
            let bytes = response.binary().await.map_err(|_| Refusal::CutShort)?;
            Ok((bytes, length))
        };
        let answered = within(PATIENCE, asked).await;
        let (bytes, length) = match answered {
            Some(Ok((bytes, length))) => (bytes, length),
            Some(Err(Refusal::Status(404, _))) => return Ok(Reply::Missing),
            other => {
                if let Some(abort) = abort {
                    abort.abort();
                }
                return Err(other.and_then(Result::err).unwrap_or(Refusal::Slow(PATIENCE)));
            }
        };
        let most = length_wanted(piece);
        let bytes = bytes
            .into_iter()
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .collect();
        Ok(Reply::Bytes(bytes, length))
    }
}

fn length_wanted(piece: &Piece) -> u64 {
    piece.length.unwrap_or(LONGEST_FILE)
}

/// Looks at the head of an answer before its body is taken; gives the length of the whole file, where it is told.
fn judge(response: &Response, piece: &Piece) -> Result<Option<u64>, Refusal> {
    let header = |name: &str| response.headers().get(name);
    let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
    match response.status() {
        // Some hosts do not let pages see this header; then the length is not known.
        206 => Ok(header("content-range").and_then(|range| range.rsplit('/').next()?.parse().ok())),
        200 if piece.begin > 0 => Err(Refusal::NoRanges),
        200 => match number("content-length") {
            Some(length) if piece.length.is_some() && length > LONGEST_WHOLE => Err(Refusal::NoRanges),
            length => Ok(length.filter(|_| piece.length.is_some())),
        },
        416 => Err(Refusal::CutShort),
        429 => Err(Refusal::Status(429, number("retry-after"))),
        status => Err(Refusal::Status(status, None)),
    }
}
