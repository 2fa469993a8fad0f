//! Why a hub does not give a file, and the way on, in a plain sentence.

/// What went wrong on the way to a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An HTTP status, and how many seconds to wait where it says so (`Retry-After`).
    Status(u16, Option<u64>),
    /// No answer: no network, a name that is not found, a connection that is refused, or a page that may not ask.
    Unreachable(String),
    /// It took longer than so many seconds.
    Slow(u64),
    /// It sends whole files where a piece was asked for.
    NoRanges,
    /// Fewer bytes came than were announced.
    CutShort,
}

impl Refusal {
    /// The sentence. `token` says whether one was sent, `page` whether a browser asks.
    pub fn sentence(&self, repository: &str, endpoint: &str, token: bool, page: bool) -> String {
        let files = match page {
            true => "drop the model's config.json and safetensors files here instead",
            false => "give a folder that holds the model's files instead",
        };
        match self {
            Refusal::Status(401 | 403, _) if token => format!(
                "{endpoint} refuses {repository} to this token: accept the model's terms on its page there with the token's account, and let the token read gated repositories"
            ),
            // The Hub answers 401 for repositories that do not exist, too.
            Refusal::Status(401 | 403, _) => format!(
                "{endpoint} does not show {repository} to everybody: the name is misspelt, or it is private or gated; accept its terms there and {}",
                match page {
                    true => "give a token (it stays in memory)",
                    false => "set HF_TOKEN",
                }
            ),
            Refusal::Status(404, _) => {
                format!("{endpoint} has no {repository}; look at its spelling, or {files}")
            }
            Refusal::Status(429, seconds) => {
                let wait = seconds.map_or("a few minutes".to_owned(), |seconds| format!("{seconds} seconds"));
                format!("{endpoint} asks for fewer requests: try again in {wait}")
            }
            Refusal::Status(status @ 500..=599, _) => {
                format!("{endpoint} has a problem of its own (status {status}): try again later, or {files}")
            }
            Refusal::Status(status, _) => {
                format!("{endpoint} answers with status {status} when asked for {repository}; {files}")
            }
            Refusal::Unreachable(reason) => {
                let reason = match reason.as_str() {
                    "" => String::new(),
                    reason => format!(" ({reason})"),
                };
                let blocked = match page {
                    true => {
                        " or the network, the server or an extension of the browser forbids the page to ask it;"
                    }
                    false => "",
                };
                format!("{endpoint} cannot be reached{reason}: there is no network,{blocked} {files}")
            }
            Refusal::Slow(seconds) => {
                format!("{endpoint} did not answer within {seconds} seconds: try again, or {files}")
            }
            Refusal::NoRanges => {
                format!("{endpoint} sends whole files only, and not the headers alone; {files}")
            }
            Refusal::CutShort => {
                format!(
                    "the answer of {endpoint} for {repository} ended before it was whole: try again, or {files}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal::*;

    #[test]
    fn every_refusal_names_the_way_on() {
        for refusal in [
            Status(401, None),
            Status(403, None),
            Status(404, None),
            Status(418, None),
            Status(429, Some(30)),
            Status(503, None),
            Unreachable("no such host".into()),
            Slow(20),
            NoRanges,
            CutShort,
        ] {
            for (token, page) in [(false, false), (true, false), (false, true), (true, true)] {
                let text = refusal.sentence("a/b", "https://hub.example", token, page);
                let ways = ["instead", "try again", "accept", "token"];
                assert!(ways.iter().any(|way| text.contains(way)), "{text}");
                assert!(text.contains("hub.example"), "{text}");
            }
        }
        assert!(
            Status(429, Some(30))
                .sentence("a/b", "hub", false, false)
                .contains("in 30 seconds")
        );
    }
}
