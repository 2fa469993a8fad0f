//! The scenario in a URL's fragment: `#v=1&model=meta-llama/Llama-3.1-8B&stack=hf&method=qlora&gpu=rtx-4090&seq=4096`.
//!
//! Fields at the default of the named stack and method are left out. A model outside the catalog is spelt out:
//! `config.model_type=llama&config.hidden_size=4096&…`.

use super::{FieldError, Method, ModelRef, Scenario, Stack, fields, inline, quoted};
use crate::model::HfConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::Map;
use std::str::FromStr;

/// The version of the fragment's language. It changes when a field changes its meaning or its default.
const VERSION: &str = "1";

/// What is escaped: all but letters, digits and marks that browsers and chat programs leave alone.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b',')
    .remove(b':')
    .remove(b'*');

/// A fragment that was read: always a scenario, and what could not be taken from the text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Parsed {
    /// The scenario; fields in [`Parsed::problems`] have their defaults.
    pub scenario: Scenario,
    /// Values that a field cannot have. What contradicts another field or the catalog is found by
    /// [`Scenario::problems`].
    pub problems: Vec<FieldError>,
    /// What was passed over: unknown keys, keys given twice, another version.
    pub notices: Vec<String>,
}

impl Scenario {
    /// The fragment without `#`. Short, readable, and [`Scenario::from_fragment`] gives the same scenario.
    ///
    /// ```
    /// use plimsoll::scenario::Scenario;
    /// let run = Scenario { seq: 4096, ..Scenario::default() };
    /// let fragment = "v=1&model=meta-llama/Llama-3.1-8B&stack=hf&method=qlora&gpu=rtx-4090&seq=4096";
    /// assert_eq!(run.to_fragment(), fragment);
    /// assert_eq!(Scenario::from_fragment(fragment).scenario, run);
    /// ```
    pub fn to_fragment(&self) -> String {
        let mut pairs = vec![("v".to_owned(), VERSION.to_owned())];
        match &self.model {
            ModelRef::Catalog(id) => pairs.push(("model".into(), id.clone())),
            ModelRef::Config(config) => {
                pairs.extend(
                    inline::texts(config)
                        .into_iter()
                        .map(|(key, text)| (format!("config.{key}"), text)),
                );
            }
        }
        pairs.push(("stack".into(), self.stack.to_string()));
        pairs.push(("method".into(), self.method.to_string()));
        // Named even at its default: a link should say which card it speaks of.
        pairs.push(("gpu".into(), self.gpu.clone().unwrap_or_else(|| "none".into())));
        let base = Scenario::for_stack(self.stack, self.method);
        for field in fields::ALL.iter().filter(|field| field.name != "gpu") {
            let text = field.text(self);
            if text != field.text(&base) {
                pairs.push((field.name.into(), text));
            }
        }
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, text)| format!("{key}={}", escape(text)))
            .collect();
        pairs.join("&")
    }

    /// Reads a fragment, with or without `#`, or a whole URL. Never fails: what cannot be used keeps its default and is
    /// reported.
    ///
    /// ```
    /// use plimsoll::scenario::Scenario;
    /// let parsed = Scenario::from_fragment("https://example.org/#seq=1024&rank=0&colour=blue");
    /// assert_eq!(parsed.scenario.seq, 1024);
    /// assert_eq!(parsed.problems[0].field, "rank");
    /// assert_eq!(parsed.notices, ["'colour' is not a field of a scenario and was passed over"]);
    /// ```
    pub fn from_fragment(text: &str) -> Parsed {
        let mut reader = Reader::default();
        let pairs = reader.pairs(fragment(text));
        let stack = reader.first(&pairs, "stack", Stack::Hf);
        let method = reader.first(&pairs, "method", Method::Qlora);
        let mut scenario = Scenario::for_stack(stack, method);
        let config: Vec<_> = pairs
            .iter()
            .filter_map(|(key, text)| Some((key.strip_prefix("config.")?, text.as_str())))
            .collect();
        for (key, text) in &pairs {
            match key.as_str() {
                "v" if text == VERSION => {}
                "v" => reader.notices.push(format!(
                    "this link is written in version {}; it is read as version {VERSION}",
                    quoted(text)
                )),
                "stack" | "method" => {}
                "model" if !config.is_empty() => {
                    reader
                        .notices
                        .push("'model' was passed over: the link spells out a model's config".into());
                }
                "model" if text.is_empty() => {
                    reader
                        .problems
                        .push(FieldError::new("model", "is empty; give a Hub id"));
                }
                "model" => scenario.model = ModelRef::Catalog(text.clone()),
                _ if key.starts_with("config.") => {}
                _ => match fields::named(key) {
                    Some(field) => reader.problems.extend(field.set(&mut scenario, text).err()),
                    None => reader.unknown(key),
                },
            }
        }
        if !config.is_empty() {
            scenario.model = reader.inline(&config);
        }
        Parsed {
            scenario,
            problems: reader.problems,
            notices: reader.notices,
        }
    }
}

/// The part of a URL that holds the scenario.
fn fragment(text: &str) -> &str {
    let text = text.trim();
    match text.split_once('#') {
        Some((before, after)) if !before.contains('=') || before.contains('?') => after,
        _ if text.contains("://") => text.split_once('?').map_or("", |(_, query)| query),
        _ => text.strip_prefix('?').unwrap_or(text),
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[derive(Default)]
struct Reader {
    problems: Vec<FieldError>,
    notices: Vec<String>,
}

impl Reader {
    /// Keys and values in their order; of a key given twice, the last.
    fn pairs(&mut self, fragment: &str) -> Vec<(String, String)> {
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().trim().to_owned();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, text) = (decode(key), decode(text));
            match pairs.iter_mut().find(|(earlier, _)| *earlier == key) {
                Some((_, earlier)) => {
                    self.notices
                        .push(format!("{} is given twice; the last counts", quoted(&key)));
                    *earlier = text;
                }
                None => pairs.push((key, text)),
            }
        }
        pairs
    }

    /// One of the two fields that decide the defaults of the rest.
    fn first<T: FromStr<Err = FieldError>>(
        &mut self,
        pairs: &[(String, String)],
        name: &str,
        default: T,
    ) -> T {
        let Some((_, text)) = pairs.iter().find(|(key, _)| key == name) else {
            return default;
        };
        text.parse().unwrap_or_else(|problem| {
            self.problems.push(problem);
            default
        })
    }

    #[inline(never)]
    fn inline(&mut self, config: &[(&str, &str)]) -> ModelRef {
        let mut keys = Map::new();
        for (key, text) in config {
            if HfConfig::knows(key) {
                inline::parse(&mut keys, key, text);
            } else {
                self.unknown(&format!("config.{key}"));
            }
        }
        let (config, problems) = inline::read(keys);
        self.problems.extend(problems);
        ModelRef::Config(Box::new(config))
    }

    fn unknown(&mut self, key: &str) {
        let names = fields::ALL
            .iter()
            .map(|field| field.name)
            .chain(["model", "stack", "method"]);
        let hint = super::closest(key, names)
            .map(|near| format!("; did you mean '{near}'?"))
            .unwrap_or_default();
        let key = quoted(key);
        self.notices.push(format!(
            "{key} is not a field of a scenario and was passed over{hint}"
        ));
    }
}

#[cfg(test)]
mod tests;
