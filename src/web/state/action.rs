//! What a user can do.

use super::{Field, Setting, Switch};
use crate::scenario::Scenario;

/// What belongs together: several actions of one topic in a row are one step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A text being typed or a slider being drawn.
    Field(Field),
    /// A choice, which stands for itself.
    Choice,
    /// A link was opened: the address holds it already, as its author wrote it.
    Opened,
}

impl Action {
    /// The topic of what was done.
    pub fn topic(&self) -> Topic {
        match self {
            Action::Type(field, _) | Action::Leave(field) => Topic::Field(*field),
            Action::Open(_) => Topic::Opened,
            _ => Topic::Choice,
        }
    }
}

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
    /// Took a scenario as a whole: from a chart, a preset, a suggestion.
    Take(Box<Scenario>),
    /// Pinned the answered run, to compare others with it.
    Pin,
    /// Let go of the pinned run.
    Unpin,
    /// Opened a link; its fragment.
    Open(String),
    /// Has seen what was typed: the time to answer it.
    Answer,
    /// Has read the notices.
    DismissNotices,
}
