//! A time limit on what is waited for.

use gloo::timers::callback::Timeout;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What comes within so many seconds.
pub async fn within<T>(seconds: u64, wanted: impl Future<Output = T>) -> Option<T> {
    let over = Rc::new(Cell::new(false));
    let waker: Rc<Cell<Option<Waker>>> = Rc::default();
    let timeout = {
        let (over, waker) = (Rc::clone(&over), Rc::clone(&waker));
        Timeout::new(u32::try_from(seconds * 1000).unwrap_or(u32::MAX), move || {
            over.set(true);
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        })
    };
    let mut wanted = pin!(wanted);
    let came = poll_fn(|context| match wanted.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if over.get() => Poll::Ready(None),
        Poll::Pending => {
            waker.set(Some(context.waker().clone()));
            Poll::Pending
        }
    })
    .await;
    drop(timeout);
    came
}
