//! What the panel knows, and how actions change it.

use crate::catalog;
use crate::checkpoint::OwnModel;
use crate::export::Adapter;
use crate::model::{HfConfig, unsupported_reason};
use crate::scenario::{FieldError, ModelRef, Scenario, WeightFormat, from_texts, texts};
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
    /// The adapter that was read, of this model or of one that is still to be read.
    pub adapter: Option<Rc<Adapter>>,
    /// The change with which the adapter's settings come into the run; later ones leave what the user made of them.
    adapted: Option<u32>,
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
    /// An adapter was read. Its base is the model of the catalog that has that name, else what is found next.
    Adapter(Rc<Adapter>),
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

/// The model of the catalog that has this name, or of which it names a mirror, with how that stores the weights.
pub fn known(name: &str) -> Option<(&'static str, Option<WeightFormat>)> {
    if let Some(model) = catalog::model(name) {
        return Some((&model.id, None));
    }
    catalog::mirror(name).map(|mirror| (mirror.model.id.as_str(), mirror.weights))
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
            Action::Read(done, all) => {
                (next.busy, next.failure) = (Some((done, all)), None);
                // What is read now is something else.
                if done == 0 && next.adapted.is_some() {
                    (next.adapter, next.adapted) = (None, None);
                }
            }
            Action::Cancelled | Action::Done => next.busy = None,
            Action::Failed(why) => (next.busy, next.failure) = (None, Some(why)),
            Action::Found(found) => {
                next.base = fields(&found.config);
                next.draft.clone_from(&next.base);
                (next.failure, next.found) = (None, Some(found));
                next.changes += 1;
                if next.adapter.is_some() && next.adapted.is_none() {
                    next.adapted = Some(next.changes);
                }
            }
            Action::Adapter(adapter) => {
                if let Some((id, _)) = known(&adapter.base) {
                    next = next.open(&Scenario {
                        model: ModelRef::Catalog(id.into()),
                        ..Scenario::default()
                    });
                    next.changes += 1;
                    next.adapted = Some(next.changes);
                } else {
                    next.adapted = None;
                }
                next.adapter = Some(adapter);
            }
            // Whoever goes on with the model that stands there has read of the failure.
            Action::Edit(key, value) => {
                set(&mut next.draft, &key, value.trim());
                (next.failure, next.changes) = (None, next.changes + 1);
            }
            Action::Reset(None) => {
                next.draft.clone_from(&next.base);
                (next.failure, next.changes) = (None, next.changes + 1);
            }
            Action::Reset(Some(key)) => {
                set(&mut next.draft, &key, text(&self.base, &key));
                (next.failure, next.changes) = (None, next.changes + 1);
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
        let untouched = self.overridden().is_empty();
        let listed = catalog::model(config.name.as_deref().unwrap_or_default());
        if let Some(listed) = listed.filter(|_| untouched && self.found.is_none()) {
            run.model = ModelRef::Catalog(listed.id.clone());
        } else if !untouched || self.found.is_none() {
            run.model = ModelRef::Config(Box::new(config));
        }
        if let Some(adapter) = self
            .adapter
            .as_ref()
            .filter(|_| self.adapted == Some(self.changes))
        {
            if let Some((_, Some(weights))) = known(&adapter.base) {
                run.set_weights(weights);
            }
            adapter.apply(&mut run);
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

    fn adapter_of(base: &str) -> Action {
        let text = format!(
            "{{\"base_model_name_or_path\": \"{base}\", \"r\": 64, \"target_modules\": [\"q_proj\"]}}"
        );
        Action::Adapter(Rc::new(crate::export::adapter(&text).unwrap()))
    }

    #[test]
    fn an_adapter_of_a_listed_model_brings_its_base_and_settings_once() {
        let read = opened().reduce(adapter_of("unsloth/Qwen3-8B-unsloth-bnb-4bit"));
        let run = read.in_run(&Scenario::default()).unwrap();
        assert_eq!(run.model, ModelRef::Catalog("Qwen/Qwen3-8B".into()));
        assert_eq!((run.lora.rank, run.weights), (64, WeightFormat::Dynamic4bit));
        // What the user makes of the run afterwards stays.
        let edited = read.reduce(Action::Edit("num_hidden_layers".into(), "2".into()));
        assert_eq!(edited.in_run(&Scenario::default()).unwrap().lora.rank, 16);
    }

    #[test]
    fn an_adapter_of_another_model_waits_for_it() {
        let waits = opened().reduce(adapter_of("a/b"));
        assert_eq!(waits.in_run(&Scenario::default()).unwrap(), Scenario::default());
        let mut visit = crate::checkpoint::Visit::of_repository("a/b");
        let config =
            br#"{"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 4}"#;
        visit
            .take(crate::checkpoint::Reply::Bytes(config.to_vec(), None))
            .unwrap();
        let base = Action::Found(Rc::new(visit.model().unwrap()));
        let found = waits.reduce(Action::Read(0, 1)).reduce(base.clone());
        let run = found.in_run(&Scenario::default()).unwrap();
        assert_eq!(run.lora.rank, 64);
        assert!(matches!(run.model, ModelRef::Config(config) if config.num_hidden_layers == 2));
        // Another model read later has nothing to do with it.
        let other = found.reduce(Action::Read(0, 1)).reduce(base);
        assert_eq!(other.in_run(&Scenario::default()).unwrap().lora.rank, 16);
        assert_eq!(other.adapter, None);
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
