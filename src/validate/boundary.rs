//! The longest sequence, or largest batch, that really runs: found by bisection around where the estimate sees it.

use crate::scenario::Scenario;

/// What grows until the run no longer fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Tokens of a sequence, in steps of 128.
    Seq,
    /// Sequences of a micro-batch.
    Batch,
}

impl Dimension {
    /// The scenario at this size, in steps.
    pub fn at(self, scenario: &Scenario, steps: u64) -> Scenario {
        let mut scenario = scenario.clone();
        let size = steps.saturating_mul(self.step());
        match self {
            Dimension::Seq => scenario.seq = size,
            Dimension::Batch => scenario.batch = size,
        }
        scenario
    }

    /// The smallest difference that is looked for.
    pub fn step(self) -> u64 {
        match self {
            Dimension::Seq => 128,
            Dimension::Batch => 1,
        }
    }

    /// What it counts.
    pub fn unit(self) -> &'static str {
        match self {
            Dimension::Seq => "tokens a sequence",
            Dimension::Batch => "sequences a micro-batch",
        }
    }
}

/// A search for the largest number that holds: doubling away from a first guess, then halving the bracket.
///
/// ```
/// use plimsoll::validate::Bisection;
///
/// let mut search = Bisection::new(10, 1000);
/// while let Some(size) = search.next() {
///     search.tell(size, size <= 37);
/// }
/// assert_eq!(search.largest(), Some(37));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// The largest that held; 0 until one has.
    holds: u64,
    /// The smallest that did not; nothing until one has not.
    fails: Option<u64>,
    limit: u64,
    guess: u64,
    /// How far the next look goes while only one side is known.
    stride: u64,
}

impl Bisection {
    /// Starts near `guess`; nothing above `limit` is asked.
    pub fn new(guess: u64, limit: u64) -> Self {
        let limit = limit.max(1);
        Bisection {
            holds: 0,
            fails: None,
            limit,
            guess: guess.clamp(1, limit),
            // The guess is an estimate and so close: look an eighth away first.
            stride: (guess / 8).max(1),
        }
    }

    /// The next number to try; nothing when the answer is known.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&self) -> Option<u64> {
        match (self.holds, self.fails) {
            (0, None) => Some(self.guess),
            (holds, None) => (holds < self.limit).then(|| holds.saturating_add(self.stride).min(self.limit)),
            (0, Some(fails)) => (fails > 1).then(|| fails.saturating_sub(self.stride).max(1)),
            (holds, Some(fails)) => (fails - holds > 1).then(|| holds + (fails - holds) / 2),
        }
    }

    /// Did it hold?
    pub fn tell(&mut self, size: u64, holds: bool) {
        if self.holds > 0 || self.fails.is_some() {
            self.stride = self.stride.saturating_mul(2);
        }
        match holds {
            true => self.holds = self.holds.max(size),
            // A larger one that held before stands: memory varies a little from run to run.
            false if size > self.holds => self.fails = Some(self.fails.map_or(size, |fails| fails.min(size))),
            false => {}
        }
    }

    /// The largest number that held; nothing when even one did not.
    pub fn largest(&self) -> Option<u64> {
        (self.holds > 0).then_some(self.holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(guess: u64, limit: u64, truth: u64) -> (Option<u64>, u32) {
        let mut search = Bisection::new(guess, limit);
        let mut asked = 0;
        while let Some(size) = search.next() {
            assert!((1..=limit).contains(&size));
            search.tell(size, size <= truth);
            asked += 1;
        }
        (search.largest(), asked)
    }

    #[test]
    fn the_largest_that_holds_is_found_from_any_guess() {
        for truth in 1..70 {
            for guess in 1..70 {
                assert_eq!(
                    search(guess, 64, truth).0,
                    Some(truth.min(64)),
                    "{truth} from {guess}"
                );
            }
        }
        assert_eq!(search(5, 64, 0).0, None);
    }

    #[test]
    fn a_close_guess_needs_few_runs() {
        assert!(search(100, 100_000, 103).1 <= 6);
        assert_eq!(search(64, 64, 64), (Some(64), 1));
    }

    #[test]
    fn a_scenario_grows_in_steps_of_its_dimension() {
        let run = Scenario::default();
        assert_eq!(Dimension::Seq.at(&run, 3).seq, 384);
        assert_eq!(Dimension::Batch.at(&run, 3).batch, 3);
    }
}
