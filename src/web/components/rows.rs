//! The rows of the comparison, computed one at a time between what the user does.

use super::later::use_later;
use crate::scenario::Scenario;
use crate::web::compare::{Row, Rows, formats};
use crate::web::state::Answer;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// The rows of a scenario, or those of an earlier one until they are computed; empty bars at first.
#[hook]
pub fn use_rows(scenario: &Scenario, answer: &Answer) -> Rc<Vec<Row>> {
    let known: Rc<RefCell<Rows>> = use_mut_ref(Rows::default);
    let last = answer.last.clone();
    let rows = use_later(scenario.clone(), move |scenario: &Scenario| {
        if let Some(last) = last {
            known.borrow_mut().learn(&last.0, &last.1);
        }
        let scenario = scenario.clone();
        move || {
            let rows = known.borrow().all(&scenario);
            if rows.is_none() {
                known.borrow_mut().compute_one(&scenario);
            }
            rows
        }
    });
    rows.unwrap_or_else(|| Rc::new(blank(scenario)))
}

fn blank(scenario: &Scenario) -> Vec<Row> {
    let row = |format| Row {
        format,
        load: Err(String::new()),
    };
    formats(scenario).into_iter().map(row).collect()
}
