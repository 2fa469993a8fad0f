//! Work that takes longer than a frame, as messages: what is asked and what is answered travels as JSON between the page
//! and its worker. No browser in here.

use crate::advise::solve::{Cards, Quantity, largest};
use crate::advise::{Lever, Observed, Question, Remedy, levers, remedy, tree};
use crate::estimate::{Estimate, EstimateError, Verdict, estimate};
use crate::scenario::Scenario;
use crate::web::grid::{Map, Search};
use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// An estimate, answered by an [`Estimated`].
    Estimate(Box<Scenario>),
    /// The run on every card, answered by [`OnCards`].
    Cards(Box<Scenario>),
    /// The map of lengths and batches, answered by a [`Map`].
    Map(Box<Scenario>),
    /// The largest value that fits, answered by a [`Largest`](crate::advise::solve::Largest), or the reason why there is
    /// none.
    Largest(Quantity, Box<Scenario>),
    /// What to change, with what the user says of the accuracy; answered by an [`Advice`](crate::web::advice::Advice).
    Advice(Box<Scenario>, Option<bool>),
}

/// An estimate, or the reason why there is none.
pub type Estimated = Result<Estimate, String>;

/// The cards on which the run is modelled: slug, verdict, bytes to spare.
pub type OnCards = Vec<(String, Verdict, i64)>;

/// Answers a job, both as JSON. A message that is none is answered by `null`, which no asker takes for an answer.
pub fn answer(message: &str) -> String {
    match serde_json::from_str(message) {
        Ok(job) => done(job).unwrap_or_default(),
        Err(_) => "null".into(),
    }
}

fn done(job: Job) -> serde_json::Result<String> {
    match job {
        Job::Estimate(run) => {
            let estimated: Estimated = estimate(&run).map_err(|error| reason(&error));
            serde_json::to_string(&estimated)
        }
        Job::Cards(run) => serde_json::to_string(&on_cards(&run)),
        Job::Map(run) => serde_json::to_string(&map(&run)),
        Job::Largest(quantity, run) => {
            let largest = largest(&run, quantity).map_err(|error| reason(&error));
            serde_json::to_string(&largest)
        }
        Job::Advice(run, accuracy_drops) => advice(&run, Observed { accuracy_drops }),
    }
}

/// Levers, remedy and tree, as [`Advice`](crate::web::advice::Advice) reads them.
fn advice(run: &Scenario, observed: Observed) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Found {
        levers: Vec<Lever>,
        remedy: Option<Remedy>,
        tree: Vec<Question>,
    }
    let Ok(before) = estimate(run) else {
        return Ok("null".into());
    };
    // Without a card there is nothing to fit.
    let remedy = remedy(run, &before).unwrap_or_default();
    serde_json::to_string(&Found {
        levers: levers(run, &before),
        tree: tree(run, &before, remedy.as_ref(), observed),
        remedy,
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
    use crate::web::advice::Advice;

    fn asked(job: Job) -> String {
        answer(&serde_json::to_string(&job).unwrap())
    }

    fn run() -> Box<Scenario> {
        Box::default()
    }

    #[test]
    fn an_estimate_comes_back_as_it_is() {
        let back: Estimated = serde_json::from_str(&asked(Job::Estimate(run()))).unwrap();
        assert_eq!(back, Ok(estimate(&run()).unwrap()));
        let mut unsound = run();
        (unsound.method, unsound.weights) = (Method::Full, WeightFormat::Nf4);
        let back: Estimated = serde_json::from_str(&asked(Job::Estimate(unsound))).unwrap();
        assert!(back.unwrap_err().contains("cannot be trained"));
    }

    #[test]
    fn every_other_job_is_answered_in_its_own_type() {
        let cards: OnCards = serde_json::from_str(&asked(Job::Cards(run()))).unwrap();
        assert!(cards.len() > 100);
        let map: Map = serde_json::from_str(&asked(Job::Map(run()))).unwrap();
        assert!(map[0][0].live.is_some());
        let seq: Result<Largest, String> =
            serde_json::from_str(&asked(Job::Largest(Quantity::Seq, run()))).unwrap();
        assert!(seq.unwrap().value > Some(2048));
    }

    #[test]
    fn advice_is_read_as_the_page_shows_it() {
        let tight = Scenario {
            gpu: Some("rtx-3060-12gb".into()),
            ..Scenario::default()
        };
        let advice: Advice = serde_json::from_str(&asked(Job::Advice(Box::new(tight), None))).unwrap();
        assert!(advice.remedy.is_some_and(|remedy| !remedy.steps.is_empty()));
        assert!(advice.levers.iter().any(|lever| lever.effect.is_some()));
        let lit: Vec<_> = advice.tree.iter().filter(|question| question.lit).collect();
        assert!(lit.len() > 1);
        let tips = || lit.iter().flat_map(|q| q.yes.tips.iter().chain(&q.no.tips));
        assert!(tips().all(|tip| !tip.label.is_empty()));
    }

    #[test]
    fn nonsense_is_answered_by_nothing() {
        assert_eq!(answer("ready"), "null");
    }
}
