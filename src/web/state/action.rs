//! What a user can do.

use super::{Field, Setting, Switch};

/// One thing that the user did.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Chose or typed a model.
    Model(String),
    /// Chose or typed a card, or took it away.
    Card(Option<String>),
    /// Chose the value with this slug.
    Choose(Setting, String),
    /// Turned a switch on or off.
    Turn(Switch, bool),
    /// Typed a text.
    Type(Field, String),
    /// Left a field: what was typed and read is shown as it was understood.
    Leave(Field),
    /// Opened a link; its fragment.
    Open(String),
    /// Has read the notices.
    DismissNotices,
}
