//! Which card this machine may have, by what the browser tells. Never more than a hint.

use crate::catalog::{self, Gpu};

/// What WebGPU tells of its adapter; fields are empty where the browser keeps them to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapter {
    /// The maker, such as `nvidia`.
    pub vendor: String,
    /// The generation, such as `lovelace`.
    pub architecture: String,
    /// The name, which most browsers leave out.
    pub description: String,
}

/// A hint: what was read, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// What the browser said, word for word.
    pub read: Vec<String>,
    /// The cards that it may mean; none when nothing is known.
    pub cards: Vec<&'static Gpu>,
    /// What follows, in a sentence.
    pub says: String,
}

/// Makes a hint of WebGL's renderer string and WebGPU's adapter.
pub fn hint(renderer: Option<&str>, adapter: Option<&Adapter>) -> Hint {
    let renderer = renderer.map(str::trim).filter(|text| !text.is_empty());
    let read = renderer.map(|text| format!("WebGL: {text}"));
    let known = adapter.map(|adapter| {
        let words = [&adapter.vendor, &adapter.architecture, &adapter.description];
        let words: Vec<&str> = words
            .into_iter()
            .map(String::as_str)
            .filter(|w| !w.is_empty())
            .collect();
        format!("WebGPU: {}", words.join(", "))
    });
    let cards = [renderer, adapter.map(|adapter| adapter.description.as_str())]
        .into_iter()
        .flatten()
        .map(catalog::gpus_by_renderer)
        .find(|cards| !cards.is_empty())
        .unwrap_or_default();
    Hint {
        read: read.into_iter().chain(known).collect(),
        says: says(renderer, adapter, &cards),
        cards,
    }
}

fn says(renderer: Option<&str>, adapter: Option<&Adapter>, cards: &[&Gpu]) -> String {
    let text = renderer.unwrap_or_default().to_ascii_lowercase();
    let software = ["swiftshader", "llvmpipe", "softpipe", "basic render"];
    match (cards.len(), adapter) {
        (1, _) => format!("this machine may have a {}", cards[0].name),
        (2.., _) => "one driver's name for several cards; which one is yours?".into(),
        _ if software.iter().any(|name| text.contains(name)) => {
            "the browser draws in software and names no card".into()
        }
        _ if text.contains("or similar") => "the browser names only a class of cards".into(),
        _ if text.contains("apple") => "an Apple GPU, which runs no CUDA".into(),
        (_, Some(adapter)) if !adapter.architecture.is_empty() => {
            let same = |gpu: &&Gpu| {
                gpu.webgpu_vendor == adapter.vendor && gpu.webgpu_architecture == adapter.architecture
            };
            match catalog::gpus().iter().filter(same).count() {
                0 => "no card of the catalog goes by these names".into(),
                n => format!("a generation and not a card: {n} cards of the catalog are of it"),
            }
        }
        _ if renderer.is_some() => "no card of the catalog goes by this name".into(),
        (_, Some(_)) => "the browser keeps the card's name to itself".into(),
        _ => "this browser tells nothing: WebGL and WebGPU are off or not there".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(vendor: &str, architecture: &str) -> Adapter {
        Adapter {
            vendor: vendor.into(),
            architecture: architecture.into(),
            ..Adapter::default()
        }
    }

    #[test]
    fn a_named_card_is_found_and_what_was_read_is_told() {
        let text = "ANGLE (NVIDIA Corporation, NVIDIA GeForce RTX 4090/PCIe/SSE2, OpenGL 4.5.0)";
        let hint = hint(Some(text), Some(&adapter("nvidia", "lovelace")));
        assert_eq!(hint.cards[0].slug, "rtx-4090");
        assert_eq!(hint.says, "this machine may have a GeForce RTX 4090");
        assert_eq!(hint.read, [&format!("WebGL: {text}"), "WebGPU: nvidia, lovelace"]);
    }

    #[test]
    fn a_name_of_two_cards_asks_which() {
        let hint = hint(Some("NVIDIA GeForce RTX 3080/PCIe/SSE2"), None);
        assert_eq!(hint.cards.len(), 2);
        assert!(hint.says.ends_with("which one is yours?"), "{}", hint.says);
    }

    #[test]
    fn where_nothing_is_known_it_says_so_and_why() {
        for (renderer, adapter, says) in [
            (
                None,
                None,
                "this browser tells nothing: WebGL and WebGPU are off or not there",
            ),
            (
                Some("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device), SwiftShader driver)"),
                Some(adapter("google", "swiftshader")),
                "the browser draws in software and names no card",
            ),
            (
                Some("NVIDIA GeForce GTX 980, or similar"),
                None,
                "the browser names only a class of cards",
            ),
            (
                Some("ANGLE (Apple, ANGLE Metal Renderer: Apple M2 Pro, Unspecified Version)"),
                None,
                "an Apple GPU, which runs no CUDA",
            ),
            (
                Some("Some card"),
                None,
                "no card of the catalog goes by this name",
            ),
            (
                None,
                Some(adapter("", "")),
                "the browser keeps the card's name to itself",
            ),
        ] {
            let hint = hint(renderer, adapter.as_ref());
            assert_eq!((hint.says.as_str(), hint.cards.len()), (says, 0));
        }
        let generation = hint(None, Some(&adapter("nvidia", "ampere"))).says;
        assert!(
            generation.starts_with("a generation and not a card: "),
            "{generation}"
        );
    }
}
