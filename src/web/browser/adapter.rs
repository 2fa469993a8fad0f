//! What the browser tells of the graphics card. Asked by name, for WebGPU is not in every browser, nor in web-sys.

use crate::web::hint::Adapter;
use gloo::utils::{document, window};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// `WEBGL_debug_renderer_info.UNMASKED_RENDERER_WEBGL`.
const UNMASKED_RENDERER: f64 = 0x9246 as f64;

fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &name.into()).ok()?;
    (!value.is_null() && !value.is_undefined()).then_some(value)
}

fn call(object: &JsValue, name: &str, argument: &JsValue) -> Option<JsValue> {
    let function: Function = get(object, name)?.dyn_into().ok()?;
    let value = function.call1(object, argument).ok()?;
    (!value.is_null() && !value.is_undefined()).then_some(value)
}

/// WebGL's name of what draws.
pub fn renderer() -> Option<String> {
    let canvas = document().create_element("canvas").ok()?;
    let context = call(&canvas, "getContext", &"webgl".into())?;
    call(&context, "getExtension", &"WEBGL_debug_renderer_info".into())?;
    let name = call(&context, "getParameter", &UNMASKED_RENDERER.into())?.as_string();
    // Contexts are few: this one goes back at once.
    if let Some(loose) = call(&context, "getExtension", &"WEBGL_lose_context".into()) {
        let _ = call(&loose, "loseContext", &JsValue::UNDEFINED);
    }
    name
}

/// WebGPU's adapter; nothing in browsers without it, and outside of secure contexts.
pub async fn adapter() -> Option<Adapter> {
    let gpu = get(&window().navigator(), "gpu")?;
    let asked: Promise = call(&gpu, "requestAdapter", &JsValue::UNDEFINED)?
        .dyn_into()
        .ok()?;
    let info = get(&JsFuture::from(asked).await.ok()?, "info")?;
    let text = |name: &str| {
        get(&info, name)
            .and_then(|value| value.as_string())
            .unwrap_or_default()
    };
    Some(Adapter {
        vendor: text("vendor"),
        architecture: text("architecture"),
        description: text("description"),
    })
}
