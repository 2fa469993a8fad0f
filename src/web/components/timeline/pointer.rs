//! Where the pointer is on a chart.

use web_sys::Element;
use yew::prelude::*;

/// Pixels that a pointer must move before it drags.
pub const DRAGS: f64 = 8.0;

/// Pixels that a wheel is turned for one step of zooming.
pub const A_STEP: f64 = 40.0;

/// Pixels from the left edge of an element.
pub fn x_on(node: &NodeRef, event: &MouseEvent) -> f64 {
    let left = node
        .cast::<Element>()
        .map_or(0.0, |element| element.get_bounding_client_rect().left());
    f64::from(event.client_x()) - left
}
