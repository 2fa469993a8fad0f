//! What the colours mean.

use crate::estimate::part::Part;
use yew::prelude::*;

/// A swatch of a part's colour.
pub fn swatch(part: Part) -> Html {
    html! {
        <svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">
            <rect class={part.class()} width="12" height="12" rx="2" />
        </svg>
    }
}

/// The colours and their names, in stacking order.
pub fn legend(parts: &[Part]) -> Html {
    html! {
        <ul class="legend" aria-label="Colours">
            for part in parts {
                <li title={part.note()}>{swatch(*part)}{part.label()}</li>
            }
        </ul>
    }
}
