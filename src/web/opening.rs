//! The answer that the bare address opens with stands in `index.html`, so that it is on screen before the program is
//! here. It is what the page's components show, written by the test that holds it against them.

use super::components::{Desk, answer};
use super::state::State;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::{env, fs, thread};
use yew::prelude::*;

/// Where the document has it: from the end of the line with the first to the line with the second.
const PLACE: [&str; 2] = [
    "<!-- what a bare address answers, written by a test: src/web/opening.rs -->\n",
    "      <!-- here it ends -->",
];

#[component]
fn Opening() -> Html {
    answer(&Desk {
        state: Rc::new(State::open("")),
        act: Callback::noop(),
    })
}

fn waited_for<T>(wanted: impl Future<Output = T>) -> T {
    let mut wanted = pin!(wanted);
    loop {
        match wanted.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::yield_now(),
        }
    }
}

#[test]
fn the_document_opens_with_what_the_page_answers_to_a_bare_address() {
    let shown = yew::ServerRenderer::<Opening>::new().hydratable(false);
    let wanted = format!("      {}\n", waited_for(shown.render()));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/index.html");
    let document = fs::read_to_string(file).unwrap();
    let [begin, end] = PLACE;
    let (before, rest) = document.split_once(begin).unwrap();
    let (stands, after) = rest.split_once(end).unwrap();
    if env::var_os("PLIMSOLL_WRITE").is_some() {
        fs::write(file, [before, begin, &wanted, end, after].concat()).unwrap();
        return;
    }
    assert!(
        stands == wanted,
        "the page answers otherwise than index.html says; write it anew with PLIMSOLL_WRITE=1: {wanted}"
    );
}
