//! Models that the user keeps in this browser, each under a name, as the fragment of a link.

use gloo::utils::window;
use std::collections::BTreeMap;

const KEY: &str = "plimsoll-own-models";

/// All of them: names and fragments. None where the browser keeps nothing.
pub fn all() -> BTreeMap<String, String> {
    let storage = window().local_storage().ok().flatten();
    let text = storage.and_then(|storage| storage.get_item(KEY).ok().flatten());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Keeps these instead. Tells whether the browser does.
pub fn keep(models: &BTreeMap<String, String>) -> bool {
    let text = serde_json::to_string(models).unwrap_or_default();
    let storage = window().local_storage().ok().flatten();
    storage.is_some_and(|storage| storage.set_item(KEY, &text).is_ok())
}
