//! Work that takes longer than a frame, as messages between the page and its worker. They are written by postcard, field
//! after field without names, and scenarios as links: both sides are the same program. No browser in here.

use crate::advise::solve::{Cards, Quantity, largest};
use crate::advise::{Observed, changes};
use crate::estimate::{EstimateError, Verdict, estimate};
use crate::scenario::Scenario;
use crate::web::advice::{Advice, Change, Question, Remedy};
use crate::web::compare::Load;
use crate::web::grid::{Map, Search};
use crate::web::later;
use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// The bar of an estimate, answered by a [`Loaded`].
    Load(Box<Scenario>),
    /// The run on every card, answered by [`OnCards`].
    Cards(Box<Scenario>),
    /// The map of lengths and batches, answered by a [`Map`].
    Map(Box<Scenario>),
    /// The largest value that fits, answered by a [`Largest`](crate::advise::solve::Largest), or the reason why there is
    /// none.
    Largest(Quantity, Box<Scenario>),
    /// What to change, with what the user says of the accuracy; answered by an [`Advice`] where there is an estimate.
    Advice(Box<Scenario>, Option<bool>),
}

/// A job without its scenario.
#[derive(Serialize, Deserialize)]
enum Kind {
    Load,
    Cards,
    Map,
    Largest(Quantity),
    Advice(Option<bool>),
}

impl Job {
    /// The message that asks for it.
    pub fn message(&self) -> Vec<u8> {
        let (kind, run) = match self {
            Job::Load(run) => (Kind::Load, run),
            Job::Cards(run) => (Kind::Cards, run),
            Job::Map(run) => (Kind::Map, run),
            Job::Largest(quantity, run) => (Kind::Largest(*quantity), run),
            Job::Advice(run, accuracy_drops) => (Kind::Advice(*accuracy_drops), run),
        };
        written(&(kind, run.to_fragment()))
    }
}

/// The bar of an estimate, or the reason why there is none.
pub type Loaded = Result<Load, String>;

/// The cards on which the run is modelled: slug, verdict, bytes to spare.
pub type OnCards = Vec<(String, Verdict, i64)>;

/// What a message asks for.
fn read(message: &[u8]) -> Option<(Kind, Scenario)> {
    let (kind, link) = postcard::from_bytes::<(Kind, &str)>(message).ok()?;
    Some((kind, Scenario::from_fragment(link).scenario))
}

/// Does the answer to a message wait for the second part of the program?
pub fn is_awaiting_more(message: &[u8]) -> bool {
    read(message).is_some_and(|(kind, run)| match kind {
        Kind::Load => later::is_awaited_by(&run),
        _ => !later::is_here(),
    })
}

/// Answers a message; one that is none, or that cannot be answered, by nothing, which no asker takes for an answer.
pub fn answer(message: &[u8]) -> Vec<u8> {
    if is_awaiting_more(message) {
        return Vec::new();
    }
    match read(message) {
        Some((Kind::Load, run)) => {
            let loaded: Loaded = estimate(&run)
                .map(|estimate| Load::of(&estimate))
                .map_err(|error| reason(&error));
            written(&loaded)
        }
        Some((kind, run)) => answer_at_length(kind, run),
        None => Vec::new(),
    }
}

/// Answers what takes many estimates. A door to the second part.
#[inline(never)]
fn answer_at_length(kind: Kind, run: Scenario) -> Vec<u8> {
    match kind {
        Kind::Load => Vec::new(),
        Kind::Cards => written(&on_cards(&run)),
        Kind::Map => written(&map(&run)),
        Kind::Largest(quantity) => written(&largest(&run, quantity).map_err(|error| reason(&error))),
        Kind::Advice(accuracy_drops) => advice(&run, Observed { accuracy_drops })
            .map(|advice| written(&advice))
            .unwrap_or_default(),
    }
}

fn written<T: Serialize>(message: &T) -> Vec<u8> {
    // Into memory: it cannot fail.
    postcard::to_allocvec(message).unwrap_or_default()
}

/// Levers, remedy and tree.
fn advice(run: &Scenario, observed: Observed) -> Option<Advice> {
    let found = changes(run, observed).ok()?;
    Some(Advice {
        levers: found.levers.into_iter().map(Change::from).collect(),
        tree: found.tree.into_iter().map(Question::from).collect(),
        remedy: found.remedy.map(Remedy::from),
    })
}

/// Why there is no estimate, in a few words.
pub fn reason(error: &EstimateError) -> String {
    match error {
        EstimateError::Invalid(problems) => problems
            .first()
            .map_or_else(|| error.to_string(), |first| first.problem.clone()),
        EstimateError::NotModelled(reason) => reason.clone(),
    }
}

fn on_cards(run: &Scenario) -> OnCards {
    let cards = Cards::of(run).into_iter().flatten().flatten();
    cards
        .map(|card| (card.gpu.to_owned(), card.verdict, card.headroom_bytes))
        .collect()
}

fn map(run: &Scenario) -> Map {
    let mut search = Search::of(run);
    loop {
        if let Some(map) = search.step() {
            return map;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::solve::Largest;
    use crate::scenario::{Method, WeightFormat};

    fn asked<T: serde::de::DeserializeOwned>(job: Job) -> T {
        postcard::from_bytes(&answer(&job.message())).unwrap()
    }

    fn run() -> Box<Scenario> {
        Box::default()
    }

    #[test]
    fn a_bar_comes_back_as_it_is() {
        let back: Loaded = asked(Job::Load(run()));
        assert_eq!(back, Ok(Load::of(&estimate(&run()).unwrap())));
        let mut unsound = run();
        (unsound.method, unsound.weights) = (Method::Full, WeightFormat::Nf4);
        let back: Loaded = asked(Job::Load(unsound));
        assert!(back.unwrap_err().contains("cannot be trained"));
    }

    #[test]
    fn every_other_job_is_answered_in_its_own_type() {
        let cards: OnCards = asked(Job::Cards(run()));
        assert!(cards.len() > 100);
        let map: Map = asked(Job::Map(run()));
        assert!(map[0][0].live.is_some());
        let seq: Result<Largest, String> = asked(Job::Largest(Quantity::Seq, run()));
        assert!(seq.unwrap().value > Some(2048));
    }

    #[test]
    fn advice_is_read_as_the_page_shows_it() {
        let tight = Scenario {
            gpu: Some("rtx-3060-12gb".into()),
            ..Scenario::default()
        };
        let advice: Advice = asked(Job::Advice(Box::new(tight), None));
        assert!(advice.remedy.is_some_and(|remedy| !remedy.steps.is_empty()));
        assert!(advice.levers.iter().any(|lever| lever.effect.is_some()));
        let lit: Vec<_> = advice.tree.iter().filter(|question| question.lit).collect();
        assert!(lit.len() > 1);
        let tips = || lit.iter().flat_map(|q| q.yes.tips.iter().chain(&q.no.tips));
        assert!(tips().all(|tip| !tip.label.is_empty()));
    }

    #[test]
    fn nonsense_is_answered_by_nothing() {
        assert!(answer(b"").is_empty());
        assert!(answer(b"ready").is_empty());
    }
}
