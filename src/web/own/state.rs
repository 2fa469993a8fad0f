//! What the panel knows, and how actions change it.

use crate::catalog;
use crate::checkpoint::OwnModel;
use crate::model::{HfConfig, unsupported_reason};
use crate::scenario::{FieldError, ModelRef, Scenario, from_texts, texts};
use std::rc::Rc;

/// A field of the configuration and its text.
pub type Field = (String, String);

/// What the panel knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Pieces that were read, of how many, while reading.
    pub busy: Option<(usize, usize)>,
    /// Why reading came to nothing.
    pub failure: Option<String>,
    /// What the model's files say.
    pub found: Option<Rc<OwnModel>>,
    /// The fields as they were found.
    pub base: Vec<Field>,
    /// The fields as the user changed them.
    pub draft: Vec<Field>,
    /// How often the model changed, so that the page has to be told.
    pub changes: u32,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The panel was opened on the page's scenario.
    Open(Box<Scenario>),
    /// Reading has begun, or gone on: pieces that were read, of how many.
    Read(usize, usize),
    /// Reading was given up.
    Cancelled,
    /// Reading came to nothing, and why.
    Failed(String),
    /// What the files say, so far.
    Found(Rc<OwnModel>),
    /// All has been read.
    Done,
    /// A field has another text.
    Edit(String, String),
    /// A field, or all of them, is as it was found.
    Reset(Option<String>),
}

/// The fields of a configuration, in the order of its keys.
fn fields(config: &HfConfig) -> Vec<Field> {
    texts(config)
}

/// The text of a field; empty when it is absent.
pub fn text<'f>(fields: &'f [Field], key: &str) -> &'f str {
    fields
        .iter()
        .find(|(name, _)| name == key)
        .map_or("", |(_, text)| text)
}

fn set(fields: &mut Vec<Field>, key: &str, value: &str) {
    match (fields.iter().position(|(name, _)| name == key), value) {
        (Some(place), "") => drop(fields.remove(place)),
        (Some(place), value) => value.clone_into(&mut fields[place].1),
        (None, "") => {}
        (None, value) => fields.push((key.to_owned(), value.to_owned())),
    }
}

impl State {
    /// What follows from an action.
    #[must_use]
    pub fn reduce(&self, action: Action) -> Self {
        let mut next = self.clone();
        match action {
            Action::Open(run) => return next.open(&run),
            Action::Read(done, all) => (next.busy, next.failure) = (Some((done, all)), None),
            Action::Cancelled | Action::Done => next.busy = None,
            Action::Failed(why) => (next.busy, next.failure) = (None, Some(why)),
            Action::Found(found) => {
                next.base = fields(&found.config);
                next.draft.clone_from(&next.base);
                (next.failure, next.found) = (None, Some(found));
                next.changes += 1;
            }
            Action::Edit(key, value) => {
                set(&mut next.draft, &key, value.trim());
                next.changes += 1;
            }
            Action::Reset(None) => {
                next.draft.clone_from(&next.base);
                next.changes += 1;
            }
            Action::Reset(Some(key)) => {
                set(&mut next.draft, &key, text(&self.base, &key));
                next.changes += 1;
            }
        }
        next
    }

    /// Shows the page's model, unless it is the one that is shown already.
    fn open(mut self, run: &Scenario) -> Self {
        let config = match &run.model {
            ModelRef::Catalog(id) => {
                let known = catalog::model(id).map(|model| model.config.clone());
                known.map(|config| HfConfig {
                    name: Some(id.clone()),
                    ..config
                })
            }
            ModelRef::Config(config) => Some((**config).clone()),
        };
        let shown = config.map(|config| fields(&config)).unwrap_or_default();
        if shown != self.draft {
            self = State {
                base: shown.clone(),
                draft: shown,
                changes: self.changes,
                ..State::default()
            };
        }
        self
    }

    /// Fields that are not as they were found.
    pub fn overridden(&self) -> Vec<&str> {
        let names = self.base.iter().chain(&self.draft).map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = names.filter(|name| self.is_overridden(name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Is this field not as it was found?
    pub fn is_overridden(&self, key: &str) -> bool {
        text(&self.base, key) != text(&self.draft, key)
    }

    /// The configuration, and what is wrong with it.
    pub fn config(&self) -> (HfConfig, Vec<FieldError>) {
        let (config, mut problems) =
            from_texts(self.draft.iter().map(|(key, text)| (key.as_str(), text.as_str())));
        if problems.is_empty() {
            let run = Scenario {
                model: ModelRef::Config(Box::new(config.clone())),
                ..Scenario::default()
            };
            problems = run
                .problems()
                .into_iter()
                .filter(|problem| problem.field.starts_with("model"))
                .collect();
        }
        (config, problems)
    }

    /// Why no run of the model can be replayed, where its fields are sound.
    pub fn refused(&self) -> Option<String> {
        match (&self.found, self.config()) {
            (Some(found), _) if self.draft == self.base => found.refused.clone(),
            (_, (config, problems)) if problems.is_empty() => unsupported_reason(&config),
            _ => None,
        }
    }

    /// The page's run with this model; nothing while a field is wrong.
    pub fn in_run(&self, run: &Scenario) -> Option<Scenario> {
        let (config, problems) = self.config();
        if !problems.is_empty() || self.draft.is_empty() {
            return None;
        }
        let mut run = run.clone();
        if let Some(found) = &self.found {
            found.apply(&mut run);
        }
        let untouched = self.found.is_some() && self.overridden().is_empty();
        if !untouched {
            run.model = ModelRef::Config(Box::new(config));
        }
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> State {
        State::default().reduce(Action::Open(Box::default()))
    }

    #[test]
    fn an_override_is_marked_and_can_be_reset() {
        let edited = opened().reduce(Action::Edit("num_hidden_layers".into(), "16".into()));
        assert_eq!(edited.overridden(), ["num_hidden_layers"]);
        let run = edited.in_run(&Scenario::default()).unwrap();
        let ModelRef::Config(config) = &run.model else {
            panic!("an own model")
        };
        assert_eq!((config.num_hidden_layers, config.hidden_size), (16, 4096));
        let reset = edited.reduce(Action::Reset(Some("num_hidden_layers".into())));
        assert_eq!(reset.draft, opened().draft);
        assert!(reset.overridden().is_empty());
    }

    #[test]
    fn a_field_may_be_added_and_taken_away() {
        let added = opened().reduce(Action::Edit("sliding_window".into(), "512".into()));
        assert_eq!(added.config().0.sliding_window, Some(512));
        let gone = added.reduce(Action::Edit("sliding_window".into(), String::new()));
        assert_eq!(gone.config().0.sliding_window, None);
    }

    #[test]
    fn what_is_wrong_is_not_handed_to_the_page() {
        let wrong = opened().reduce(Action::Edit("hidden_size".into(), "wide".into()));
        assert_eq!(wrong.config().1[0].field, "model.hidden_size");
        assert_eq!(wrong.in_run(&Scenario::default()), None);
        let zero = opened().reduce(Action::Edit("num_hidden_layers".into(), "0".into()));
        assert_eq!(zero.in_run(&Scenario::default()), None);
    }

    #[test]
    fn an_unknown_type_is_treated_as_another_on_the_users_word() {
        let unknown = opened().reduce(Action::Edit("model_type".into(), "llama9".into()));
        assert!(unknown.refused().unwrap().contains("llama9"));
        let treated = unknown.reduce(Action::Edit("treat_as".into(), "llama".into()));
        assert_eq!(treated.refused(), None);
    }

    #[test]
    fn opening_again_keeps_what_was_read() {
        let state = opened().reduce(Action::Failed("no".into()));
        assert_eq!(
            state.reduce(Action::Open(Box::default())).failure.as_deref(),
            Some("no")
        );
        let run = Scenario {
            model: ModelRef::Catalog("Qwen/Qwen3-8B".into()),
            ..Scenario::default()
        };
        assert_eq!(state.reduce(Action::Open(Box::new(run))).failure, None);
    }
}
