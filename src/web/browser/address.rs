//! The address bar: the fragment holds the scenario.

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::utils::window;
use std::cell::RefCell;
use wasm_bindgen::JsValue;

/// Browsers ration history entries (Safari: 100 in 30 s), and a slider makes more; so the address follows after a
/// moment of rest, in milliseconds.
const REST: u32 = 150;

thread_local! {
    static PENDING: RefCell<Option<Timeout>> = const { RefCell::new(None) };
}

/// The fragment with its `#`; empty when there is none.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Calls back when the user opens another fragment: a link, the address bar, back and forward.
pub fn on_fragment(callback: impl Fn(String) + 'static) -> EventListener {
    EventListener::new(&window(), "hashchange", move |_| {
        PENDING.with_borrow_mut(|pending| *pending = None);
        callback(fragment());
    })
}

/// Puts a fragment (without `#`) into the address bar once the user rests; later calls replace earlier ones.
pub fn write_soon(fragment: String) {
    let timeout = Timeout::new(REST, move || write(&fragment));
    PENDING.with_borrow_mut(|pending| *pending = Some(timeout));
}

fn write(fragment: &str) {
    let Ok(history) = window().history() else { return };
    // A page in a sandboxed frame may not touch history; the scenario on screen is not affected.
    let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("#{fragment}")));
}

/// The whole address with this fragment.
pub fn with_fragment(fragment: &str) -> String {
    let here = window().location().href().unwrap_or_default();
    let page = here.split('#').next().unwrap_or_default();
    format!("{page}#{fragment}")
}
