//! Another thread that does the page's longer work: the same program, started by `worker.js`. Where there is none, the
//! work is done here, between what the user does.

use crate::web::jobs::{self, Job};
use crate::web::later;
use gloo::timers::callback::Timeout;
use gloo::utils::document;
use js_sys::Uint8Array;
use std::cell::RefCell;
use std::collections::VecDeque;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, Event, MessageEvent, Window, Worker, WorkerOptions, WorkerType};

/// The answer is painted before other work begins, in milliseconds.
const AFTER_PAINT: u32 = 30;
/// What a worker says when it can be asked.
const READY: &str = "ready";

/// Is this the worker's thread?
pub fn is_worker() -> bool {
    js_sys::global().dyn_ref::<Window>().is_none()
}

/// Answers the page's messages, one after the other.
pub fn serve() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let page = scope.clone();
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let page = page.clone();
        answer(bytes(&event.data()), move |answer| {
            let _ = page.post_message(&Uint8Array::from(answer.as_slice()));
        });
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // It listens for as long as the thread lives.
    on_message.forget();
    let _ = scope.post_message(&JsValue::from_str(READY));
}

/// Answers a message, when all that it takes is loaded.
fn answer(message: Vec<u8>, tell: impl FnOnce(Vec<u8>) + 'static) {
    match jobs::is_awaiting_more(&message) {
        true => later::when_here(move || tell(jobs::answer(&message))),
        false => tell(jobs::answer(&message)),
    }
}

type Tell = Box<dyn FnOnce(Vec<u8>)>;

struct Asked {
    ticket: u64,
    job: Job,
    tell: Tell,
}

/// Who does the work.
enum Hand {
    /// Nobody yet.
    None,
    /// The worker, ready or not.
    Worker { worker: Worker, ready: bool },
    /// This thread, because there can be no worker.
    Here,
}

struct Office {
    hand: Hand,
    waiting: VecDeque<Asked>,
    /// What is being done, unless nobody waits for it any more.
    at_work: Option<Option<Asked>>,
    last: u64,
}

thread_local! {
    static OFFICE: RefCell<Office> = const { RefCell::new(Office {
        hand: Hand::None, waiting: VecDeque::new(), at_work: None, last: 0,
    }) };
}

/// Someone waits for an answer; dropped, nobody does.
pub struct Ticket(u64);

impl Drop for Ticket {
    fn drop(&mut self) {
        // What is taken out may hold tickets of its own, so it is dropped when the office is closed again.
        let unwanted = OFFICE.with_borrow_mut(|office| {
            let waits = |asked: &Asked| asked.ticket == self.0;
            match (office.waiting.iter().position(waits), &mut office.at_work) {
                (Some(place), _) => office.waiting.remove(place),
                (None, Some(now)) if now.as_ref().is_some_and(waits) => now.take(),
                _ => None,
            }
        });
        drop(unwanted);
    }
}

/// Asks for work to be done; `tell` is given the answer unless the ticket is dropped before.
pub fn ask(job: Job, tell: impl FnOnce(Vec<u8>) + 'static) -> Ticket {
    let ticket = OFFICE.with_borrow_mut(|office| {
        office.last += 1;
        let ticket = office.last;
        let tell = Box::new(tell);
        office.waiting.push_back(Asked { ticket, job, tell });
        ticket
    });
    Timeout::new(AFTER_PAINT, go_on).forget();
    Ticket(ticket)
}

/// Hands out the next job when there is one and a free hand.
fn go_on() {
    OFFICE.with_borrow_mut(|office| {
        if matches!(office.hand, Hand::None) {
            office.hand = hire().map_or(Hand::Here, |worker| Hand::Worker { worker, ready: false });
        }
        if office.at_work.is_some() || matches!(office.hand, Hand::Worker { ready: false, .. }) {
            return;
        }
        let Some(asked) = office.waiting.pop_front() else {
            return;
        };
        let message = asked.job.message();
        office.at_work = Some(Some(asked));
        match &office.hand {
            Hand::Worker { worker, .. } => drop(worker.post_message(&Uint8Array::from(message.as_slice()))),
            _ => drop(Timeout::new(0, move || answer(message, take)).forget()),
        }
    });
}

/// Takes an answer, and goes on.
fn take(answer: Vec<u8>) {
    let done = OFFICE.with_borrow_mut(|office| office.at_work.take());
    if let Some(Some(asked)) = done {
        (asked.tell)(answer);
    }
    go_on();
}

/// The bytes of a message.
fn bytes(data: &JsValue) -> Vec<u8> {
    data.dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .unwrap_or_default()
}

/// Starts the worker.
fn hire() -> Option<Worker> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    // The document names the one of its own build.
    let script = document().query_selector("[data-worker]").ok()??;
    let worker = Worker::new_with_options(&script.get_attribute("data-worker")?, &options).ok()?;
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        if event.data() == READY {
            OFFICE.with_borrow_mut(|office| {
                if let Hand::Worker { ready, .. } = &mut office.hand {
                    *ready = true;
                }
            });
            go_on();
        } else {
            take(bytes(&event.data()));
        }
    });
    // A worker that cannot start, or has come to grief, is replaced by this thread; its job is begun anew.
    let on_error = Closure::<dyn Fn(Event)>::new(|_| {
        OFFICE.with_borrow_mut(|office| {
            office.hand = Hand::Here;
            if let Some(Some(asked)) = office.at_work.take() {
                office.waiting.push_front(asked);
            }
        });
        go_on();
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    on_message.forget();
    on_error.forget();
    Some(worker)
}
