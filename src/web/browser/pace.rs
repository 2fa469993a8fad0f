//! How long answers take on this machine: quick ones are given in the frame in which they are asked for, others after
//! what was typed is painted.

use std::cell::Cell;

/// Half a frame at 60 a second, in milliseconds: the rest of it is for showing.
const QUICK: f64 = 8.0;

thread_local! {
    static LAST: Cell<f64> = const { Cell::new(f64::INFINITY) };
}

/// Makes an answer, and remembers how long that took.
pub fn timed<T>(answer: impl FnOnce() -> T) -> T {
    let begun = js_sys::Date::now();
    let answer = answer();
    LAST.set(js_sys::Date::now() - begun);
    answer
}

/// Was the last answer quick?
pub fn is_quick() -> bool {
    LAST.get() <= QUICK
}
