//! The rows of the comparison, estimated one after the other on another thread.

use crate::scenario::Scenario;
use crate::web::browser::worker::{Ticket, ask};
use crate::web::compare::{Row, Rows};
use crate::web::jobs::Job;
use crate::web::state::Answer;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

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
        let search = Rc::new(Search {
            scenario: scenario.clone(),
            known,
            tell: Box::new(move |rows| setter.set(rows)),
            ticket: RefCell::default(),
        });
        search.go_on();
        // Whoever starts the next search drops this one, and with it what it waits for.
        move || drop(search.ticket.take())
    });
    (*shown).clone()
}

fn blank(scenario: &Scenario) -> Vec<Row> {
    let row = |format| Row {
        format,
        load: Err(String::new()),
    };
    scenario.compared_formats().into_iter().map(row).collect()
}

struct Search {
    scenario: Scenario,
    known: Rc<RefCell<Rows>>,
    tell: Box<dyn Fn(Rc<Vec<Row>>)>,
    ticket: RefCell<Option<Ticket>>,
}

impl Search {
    /// Shows the rows when all are known, else asks for one that is missing.
    fn go_on(self: &Rc<Self>) {
        let missing = self.known.borrow().missing(&self.scenario);
        match missing {
            None => (self.tell)(Rc::new(self.known.borrow().all(&self.scenario))),
            Some(variant) => {
                let search = self.clone();
                let job = Job::Load(Box::new(variant.clone()));
                let ticket = ask(job, move |answer| {
                    search.known.borrow_mut().take(variant, &answer);
                    search.go_on();
                });
                self.ticket.replace(Some(ticket));
            }
        }
    }
}
