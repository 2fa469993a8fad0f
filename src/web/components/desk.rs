//! What the parts of the screen are given.
//!
//! Parts with a memory of their own are Yew components; the others are functions, which cost a page less.

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
