//! What the colours mean.

use crate::web::part::Part;
use yew::prelude::*;

/// The parts to explain.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// In stacking order.
    pub parts: Vec<Part>,
}

/// A swatch of a part's colour.
pub fn swatch(part: Part) -> Html {
    html! {
        <svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">
            <rect class={part.class()} width="12" height="12" rx="2" />
        </svg>
    }
}

/// The colours and their names.
#[component]
pub fn Legend(props: &Props) -> Html {
    html! {
        <ul class="legend" aria-label="Colours">
            for part in &props.parts {
                <li title={part.note()}>{swatch(*part)}{part.label()}</li>
            }
        </ul>
    }
}
