//! What the page knows: a plain struct, changed only by [`State::reduce`]. No browser in here.

mod action;
mod answer;
mod field;
mod setting;
#[cfg(test)]
mod tests;

pub use action::{Action, Topic};
pub use answer::{Answer, Standing};
pub use field::Field;
pub use setting::{Offer, Setting, Switch};

use crate::estimate::Estimate;
use crate::scenario::{FieldError, ModelRef, Scenario};
use std::rc::Rc;

/// Everything the page shows follows from this.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The scenario as far as what was typed could be read.
    pub scenario: Scenario,
    /// What stands in fields as it was typed.
    typed: Vec<Typed>,
    /// What is wrong with the scenario.
    problems: Vec<FieldError>,
    /// The last good answer and how it stands to the scenario.
    pub answer: Answer,
    /// What the user should know about the link that was opened.
    pub notices: Vec<String>,
    /// A run kept to compare others with it.
    pub pinned: Option<Rc<(Scenario, Estimate)>>,
    /// What was last done to the scenario.
    pub topic: Topic,
}

/// A text as it was typed, which stays in its field while it cannot be read.
#[derive(Clone, Debug, PartialEq)]
struct Typed {
    field: Field,
    text: String,
    error: Option<FieldError>,
}

impl State {
    /// The state that a link opens; an empty fragment opens the defaults.
    pub fn open(fragment: &str) -> Self {
        let mut state = State {
            scenario: Scenario::default(),
            typed: Vec::new(),
            problems: Vec::new(),
            answer: Answer::default(),
            notices: Vec::new(),
            pinned: None,
            topic: Topic::Opened,
        };
        state.read_link(fragment);
        state.settle();
        state
    }

    /// The state after an action.
    #[must_use]
    pub fn reduce(&self, action: Action) -> State {
        let mut state = self.clone();
        let topic = action.topic();
        let answer = action == Action::Answer;
        state.apply(action);
        if state.scenario != self.scenario {
            state.topic = topic;
        }
        state.settle();
        if answer && state.answer.standing == Standing::Awaited {
            state.answer = state.answer.next(&state.scenario);
        }
        state
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Model(id) => self.scenario.model = ModelRef::Catalog(id),
            Action::Card(slug) => self.scenario.gpu = slug,
            // The page offers only what can be set; anything else changes nothing.
            Action::Choose(setting, slug) => {
                if let Some(chosen) = chosen(&self.scenario, setting, &slug) {
                    self.scenario = chosen;
                }
            }
            Action::Turn(switch, on) => switch.set(on, &mut self.scenario),
            Action::Type(field, text) => {
                let error = field.read(&text, &mut self.scenario).err();
                self.typed.retain(|typed| typed.field != field);
                self.typed.push(Typed { field, text, error });
            }
            Action::Leave(field) => self
                .typed
                .retain(|typed| typed.field != field || typed.error.is_some()),
            Action::Take(scenario) => {
                self.scenario = *scenario;
                self.typed.clear();
            }
            Action::Pin => self.pinned.clone_from(&self.answer.last),
            Action::Unpin => self.pinned = None,
            Action::Open(fragment) => self.read_link(&fragment),
            Action::Answer => {}
            Action::DismissNotices => self.notices.clear(),
        }
    }

    fn read_link(&mut self, fragment: &str) {
        let link = crate::web::link::read(fragment);
        self.scenario = link.scenario;
        self.notices = link.notices;
        self.typed.clear();
    }

    /// Brings problems and answer in line with the scenario.
    fn settle(&mut self) {
        self.problems = self.scenario.problems();
        if self.all_problems().next().is_none() {
            self.answer = self.answer.before(&self.scenario);
        } else {
            self.answer = self.answer.overtaken();
        }
    }

    /// The scenario of the answer on screen.
    pub fn answered(&self) -> Option<Scenario> {
        self.answer.last.as_ref().map(|last| last.0.clone())
    }

    /// What stands in a field.
    pub fn text(&self, field: Field) -> String {
        let typed = self.typed.iter().find(|typed| typed.field == field);
        typed.map_or_else(|| field.text(&self.scenario), |typed| typed.text.clone())
    }

    /// What is wrong with a field, by its name.
    pub fn problem(&self, name: &str) -> Option<String> {
        self.all_problems()
            .find(|problem| problem.field == name)
            .map(|problem| problem.problem.clone())
    }

    /// Everything that is wrong, what could not be read first.
    pub fn all_problems(&self) -> impl Iterator<Item = &FieldError> {
        let unread = self.typed.iter().filter_map(|typed| typed.error.as_ref());
        unread.chain(&self.problems)
    }

    /// Why a setting cannot take a value in this scenario, or nothing when it can.
    pub fn refusal(&self, setting: Setting, slug: &str) -> Option<String> {
        if !Scenario::CHOICES_AT_ODDS.contains(&setting.name()) {
            return None;
        }
        let asked = chosen(&self.scenario, setting, slug)?;
        let mut problems = asked.choice_problems().into_iter();
        problems.find(|p| p.field == setting.name()).map(|p| p.problem)
    }
}

/// The scenario with another choice, and what goes with it; nothing when there is no such choice.
fn chosen(scenario: &Scenario, setting: Setting, slug: &str) -> Option<Scenario> {
    let mut asked = scenario.clone();
    setting.set(slug, &mut asked).ok()?;
    Some(match setting {
        Setting::Weights => scenario.with_weights(asked.weights),
        Setting::Method => changed(scenario, |scenario| scenario.set_method(asked.method)),
        Setting::Stack => changed(scenario, |scenario| scenario.set_stack(asked.stack)),
        _ => asked,
    })
}

fn changed(scenario: &Scenario, change: impl FnOnce(&mut Scenario)) -> Scenario {
    let mut scenario = scenario.clone();
    change(&mut scenario);
    scenario
}
