//! The answer to a job, for the parts that show it.

use crate::web::browser::worker::ask;
use crate::web::jobs::Job;
use serde::de::DeserializeOwned;
use std::rc::Rc;
use yew::prelude::*;

/// The answer to the newest job that is done; while a newer one goes on, that of the earlier.
#[hook]
pub fn use_job<T: DeserializeOwned + 'static>(job: Option<Job>) -> Option<Rc<T>> {
    let done = use_state(|| None::<Rc<T>>);
    let setter = done.setter();
    use_effect_with(job, move |job| {
        let ticket = job.clone().map(|job| {
            ask(job, move |answer| {
                if let Ok(answer) = postcard::from_bytes(&answer) {
                    setter.set(Some(Rc::new(answer)));
                }
            })
        });
        move || drop(ticket)
    });
    (*done).clone()
}
