//! Light or dark: as the system says unless the user chose. The choice is a preference of this browser, not part of
//! a scenario.

use gloo::utils::{document_element, window};

const KEY: &str = "plimsoll-theme";

/// A choice of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The next one when the button is pressed.
    pub fn next(self) -> Theme {
        match self {
            Theme::Auto => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Auto,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// What was chosen earlier.
    pub fn load() -> Theme {
        let word = window()
            .local_storage()
            .ok()
            .flatten()
            .and_then(|s| s.get_item(KEY).ok().flatten());
        match word.as_deref() {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::Auto,
        }
    }

    /// Shows it, and keeps it where the browser allows that.
    pub fn apply(self) {
        let root = document_element();
        let storage = window().local_storage().ok().flatten();
        let _ = match self {
            Theme::Auto => root.remove_attribute("data-theme"),
            _ => root.set_attribute("data-theme", self.word()),
        };
        if let Some(storage) = storage {
            let _ = match self {
                Theme::Auto => storage.remove_item(KEY),
                _ => storage.set_item(KEY, self.word()),
            };
        }
    }
}
