//! The second part of the page's program, which is divided as [`crate::parts`] tells: what the answer
//! to a common run and the panels in sight need comes first; the rest is loaded when it is first needed, by
//! `www/second.js`. Functions that belong to the rest are called only when it is here.

use crate::parts::is_common;
use crate::scenario::Scenario;
use std::cell::{Cell, RefCell};

/// Where the second part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondPart {
    /// Not loaded yet.
    Away,
    /// Here.
    Here,
    /// It could not be loaded; it may be asked for again.
    Missing,
}

type Told = Box<dyn FnOnce()>;
type Watcher = Box<dyn Fn(SecondPart)>;

thread_local! {
    // Elsewhere than in a browser the program is in one piece.
    static STANDING: Cell<SecondPart> = const {
        Cell::new(if cfg!(target_arch = "wasm32") { SecondPart::Away } else { SecondPart::Here })
    };
    static WAITING: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
    static WATCHERS: RefCell<Vec<Watcher>> = const { RefCell::new(Vec::new()) };
}

/// Where it is.
pub fn second_part() -> SecondPart {
    STANDING.get()
}

/// Is it here?
pub fn is_here() -> bool {
    second_part() == SecondPart::Here
}

/// Does an answer to this run wait for it?
pub fn is_awaited_by(scenario: &Scenario) -> bool {
    !is_here() && !is_common(scenario)
}

/// Calls when it is here, or known to be missing; at once when it is here.
pub fn when_here(told: impl FnOnce() + 'static) {
    if is_here() {
        return told();
    }
    WAITING.with_borrow_mut(|waiting| waiting.push(Box::new(told)));
    if second_part() == SecondPart::Missing {
        STANDING.set(SecondPart::Away);
    }
    if let Ok(event) = web_sys::Event::new("second-part") {
        let scope: web_sys::EventTarget = wasm_bindgen::JsCast::unchecked_into(js_sys::global());
        let _ = scope.dispatch_event(&event);
    }
}

/// Calls now and whenever that changes, for as long as the page lives.
pub fn on_change(watcher: impl Fn(SecondPart) + 'static) {
    watcher(second_part());
    WATCHERS.with_borrow_mut(|watchers| watchers.push(Box::new(watcher)));
}

/// What `second.js` says when it is here, or could not be loaded.
#[wasm_bindgen::prelude::wasm_bindgen(js_name = secondPart)]
pub fn second_part_is(here: bool) {
    STANDING.set(if here {
        SecondPart::Here
    } else {
        SecondPart::Missing
    });
    WATCHERS.with_borrow(|watchers| watchers.iter().for_each(|watcher| watcher(second_part())));
    let waiting = WAITING.with_borrow_mut(std::mem::take);
    waiting.into_iter().for_each(|told| told());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Stack;

    #[test]
    fn outside_a_browser_all_is_here() {
        let mut unsloth = Scenario::default();
        unsloth.set_stack(Stack::Unsloth);
        assert!(!is_awaited_by(&unsloth));
        let called = std::rc::Rc::new(Cell::new(false));
        let calling = called.clone();
        when_here(move || calling.set(true));
        assert!(called.get());
    }
}
