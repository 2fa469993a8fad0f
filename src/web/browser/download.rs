//! Files for the user to keep.

use gloo::utils::{body, document};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Offers a text as a file.
pub fn text(name: &str, mime: &str, content: &str) {
    let parts = Array::of1(&JsValue::from_str(content));
    let options = BlobPropertyBag::new();
    options.set_type(mime);
    if let Ok(blob) = Blob::new_with_str_sequence_and_options(&parts, &options) {
        file(name, &blob);
    }
}

/// Offers a blob as a file. Where the browser refuses, nothing happens.
pub fn file(name: &str, blob: &Blob) {
    let Ok(url) = Url::create_object_url_with_blob(blob) else {
        return;
    };
    if let Ok(link) = document().create_element("a") {
        let link: HtmlAnchorElement = link.unchecked_into();
        link.set_href(&url);
        link.set_download(name);
        let _ = body().append_child(&link);
        link.click();
        link.remove();
    }
    let _ = Url::revoke_object_url(&url);
}
