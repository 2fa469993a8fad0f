//! The rest of the module's program: other stacks and families than the common ones, advice, and the inverse questions. `index.js` loads it with
//! the first part unless it is told not to.

use super::{Failure, Kind};
use crate::parts::is_common;
use crate::scenario::Scenario;
use std::cell::Cell;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    // Elsewhere than in JavaScript the program is in one piece.
    static HERE: Cell<bool> = const { Cell::new(!cfg!(target_arch = "wasm32")) };
}

/// What `index.js` says when it is here.
#[wasm_bindgen(js_name = "restIsHere", skip_typescript)]
pub fn rest_is_here() {
    HERE.set(true);
}

/// Sees that all is here that this takes; what needs the rest in any case says so.
///
/// # Errors
/// It is not: of the kind [`Kind::NotLoaded`].
pub(super) fn see(scenario: &Scenario, needs_rest: bool) -> Result<(), Failure> {
    match HERE.get() || !needs_rest && is_common(scenario) {
        true => Ok(()),
        false => Err(Failure {
            kind: Kind::NotLoaded,
            message: "this takes the rest of the module: await loadRest() first".into(),
            problems: Vec::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_rest_common_runs_are_answered_and_others_ask_for_it() {
        let mut unsloth = Scenario::default();
        unsloth.set_stack(crate::scenario::Stack::Unsloth);
        HERE.set(false);
        assert_eq!(see(&Scenario::default(), false), Ok(()));
        for refused in [see(&Scenario::default(), true), see(&unsloth, false)] {
            assert_eq!(refused.unwrap_err().kind, Kind::NotLoaded);
        }
        rest_is_here();
        assert_eq!(see(&unsloth, true), Ok(()));
    }
}
