//! What most parts of the screen are given.

use crate::web::state::{Action, State};
use std::rc::Rc;
use yew::prelude::*;

/// The state to show and the way to change it.
#[derive(Clone, PartialEq, Properties)]
pub struct Desk {
    /// What to show.
    pub state: Rc<State>,
    /// Where to say what the user did.
    pub act: Callback<Action>,
}
