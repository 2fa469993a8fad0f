//! The clipboard.

use gloo::utils::window;
use js_sys::Reflect;
use wasm_bindgen_futures::JsFuture;

/// Copies a text; false when the browser does not allow it (an insecure page, a frame without permission).
pub async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    // Outside secure contexts the property is missing, which web-sys does not say.
    let present = Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|clipboard| clipboard.is_object());
    present
        && JsFuture::from(navigator.clipboard().write_text(text))
            .await
            .is_ok()
}
