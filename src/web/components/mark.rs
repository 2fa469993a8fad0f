//! The mark: a ring crossed by a line, as on a ship's hull.

use yew::prelude::*;

/// The Plimsoll mark.
pub fn mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <circle cx="16" cy="16" r="10" />
            <path d="M0 16h32" />
        </svg>
    }
}
