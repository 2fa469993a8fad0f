//! Work that may wait: it starts after the answer is painted, goes on in slices between what the user does, and is
//! dropped when something newer is asked for.

use gloo::timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// Long enough for the answer to be painted first, in milliseconds.
const AFTER_PAINT: u32 = 20;
/// A slice ends after the first step that reaches this, in milliseconds: input waits no longer.
const SLICE: f64 = 8.0;

/// The result of the newest work that is done; while newer work goes on, that of the earlier.
///
/// `start` is given the key when it has changed and returns the work: a step that is called until it returns something.
#[hook]
pub fn use_later<K, T, W>(key: K, start: impl FnOnce(&K) -> W + 'static) -> Option<Rc<T>>
where
    K: PartialEq + 'static,
    T: 'static,
    W: FnMut() -> Option<T> + 'static,
{
    let done = use_state(|| None::<Rc<T>>);
    let setter = done.setter();
    use_effect_with(key, move |key| {
        let mut step = start(key);
        let slice = move || {
            let result = step();
            if let Some(result) = result {
                setter.set(Some(Rc::new(result)));
                return false;
            }
            true
        };
        let next = Rc::new(RefCell::default());
        plan(AFTER_PAINT, Box::new(slice), &next);
        // Whoever starts the next work drops this one, and with it what it had planned.
        move || drop(next.take())
    });
    (*done).clone()
}

type Next = Rc<RefCell<Option<Timeout>>>;

/// Calls a step, as soon as the browser has nothing better to do, until it returns false.
fn plan(pause: u32, mut step: Box<dyn FnMut() -> bool>, next: &Next) {
    let then = next.clone();
    let timeout = Timeout::new(pause, move || {
        let end = js_sys::Date::now() + SLICE;
        while step() {
            if js_sys::Date::now() >= end {
                return plan(0, step, &then);
            }
        }
    });
    next.replace(Some(timeout));
}
