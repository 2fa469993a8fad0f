//! The rows of the comparison, computed one at a time between what the user does; the newest scenario wins.

use crate::scenario::Scenario;
use crate::web::compare::{Row, Rows, formats};
use crate::web::state::Answer;
use gloo::timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// Long enough for the answer to be painted first, in milliseconds.
const AFTER_PAINT: u32 = 20;

/// The rows of a scenario, or those of an earlier one until they are computed; empty bars at first.
#[hook]
pub fn use_rows(scenario: &Scenario, answer: &Answer) -> Rc<Vec<Row>> {
    let shown = use_state(|| Rc::new(blank(scenario)));
    let known: Rc<RefCell<Rows>> = use_mut_ref(Rows::default);
    let last = answer.last.clone();
    let setter = shown.setter();
    use_effect_with(scenario.clone(), move |scenario| {
        if let Some(last) = last {
            known.borrow_mut().learn(&last.0, &last.1);
        }
        let job = Rc::new(Job {
            scenario: scenario.clone(),
            known,
            tell: Box::new(move |rows| setter.set(rows)),
            next: RefCell::default(),
        });
        job.go_on(AFTER_PAINT);
        // Whoever starts the next job drops this one, and with it what it had planned.
        move || drop(job.next.take())
    });
    (*shown).clone()
}

fn blank(scenario: &Scenario) -> Vec<Row> {
    formats(scenario)
        .into_iter()
        .map(|format| Row {
            format,
            load: Err(String::new()),
        })
        .collect()
}

struct Job {
    scenario: Scenario,
    known: Rc<RefCell<Rows>>,
    tell: Box<dyn Fn(Rc<Vec<Row>>)>,
    next: RefCell<Option<Timeout>>,
}

impl Job {
    /// Shows the rows when all are known, else plans to compute one as soon as the browser has nothing better to do.
    fn go_on(self: &Rc<Self>, pause: u32) {
        if let Some(rows) = self.known.borrow().all(&self.scenario) {
            return (self.tell)(Rc::new(rows));
        }
        let job = self.clone();
        let timeout = Timeout::new(pause, move || {
            job.known.borrow_mut().compute_one(&job.scenario);
            job.go_on(0);
        });
        self.next.replace(Some(timeout));
    }
}
