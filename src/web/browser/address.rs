//! The address bar: the fragment holds the scenario.

use crate::web::state::Topic;
use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::utils::window;
use std::cell::{Cell, RefCell};
use wasm_bindgen::JsValue;

/// Browsers ration history entries (Safari: 100 in 30 s), and a slider makes more; so the address follows after a
/// moment of rest, in milliseconds.
const REST: u32 = 150;

thread_local! {
    static PENDING: RefCell<Option<Timeout>> = const { RefCell::new(None) };
    static LAST: Cell<Option<Topic>> = const { Cell::new(None) };
}

/// The fragment with its `#`; empty when there is none.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Calls back when the user opens another fragment: a link, the address bar, back and forward.
pub fn on_fragment(callback: impl Fn(String) + 'static) -> EventListener {
    EventListener::new(&window(), "hashchange", move |_| {
        PENDING.with_borrow_mut(|pending| *pending = None);
        LAST.set(None);
        callback(fragment());
    })
}

/// Puts a fragment (without `#`) into the address bar once the user rests; later calls replace earlier ones. What goes
/// on with the topic of the last entry of the history takes its place, anything else is a step that can be gone back.
pub fn write_soon(fragment: String, topic: Topic) {
    let timeout = Timeout::new(REST, move || write(&fragment, topic));
    PENDING.with_borrow_mut(|pending| *pending = Some(timeout));
}

fn write(wanted: &str, topic: Topic) {
    let Ok(history) = window().history() else { return };
    let wanted = format!("#{wanted}");
    if fragment() == wanted {
        return;
    }
    let goes_on = topic != Topic::Choice && LAST.replace(Some(topic)) == Some(topic);
    // A page in a sandboxed frame may not touch history; the scenario on screen is not affected.
    let _ = match goes_on {
        true => history.replace_state_with_url(&JsValue::NULL, "", Some(&wanted)),
        false => {
            LAST.set(Some(topic));
            history.push_state_with_url(&JsValue::NULL, "", Some(&wanted))
        }
    };
}

/// The whole address with this fragment.
pub fn with_fragment(fragment: &str) -> String {
    let here = window().location().href().unwrap_or_default();
    let page = here.split('#').next().unwrap_or_default();
    format!("{page}#{fragment}")
}
