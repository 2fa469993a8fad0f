//! Which sequence lengths and micro-batches fit: the map's axes, and the search that fills it step by step.

use crate::estimate::{Verdict, fit, peak_allocated};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};

/// The map's lengths, in tokens.
pub const SEQS: [u64; 11] = [
    256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144,
];
/// The map's micro-batches, in sequences.
pub const BATCHES: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// One combination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Live bytes at the peak; nothing where the combination is refused.
    pub live: Option<u64>,
    /// Does it fit the card? Nothing without a card.
    pub verdict: Option<Verdict>,
}

/// A map: a row a batch, a cell a length.
pub type Map = Vec<Vec<Cell>>;

/// A map of which nothing is known.
pub fn blank() -> Map {
    vec![vec![Cell::default(); SEQS.len()]; BATCHES.len()]
}

/// What the map depends on: the scenario but for its own length and batch.
pub fn key(scenario: &Scenario) -> Scenario {
    Scenario {
        seq: SEQS[0],
        batch: BATCHES[0],
        ..scenario.clone()
    }
}

/// The search. First the peaks of all combinations; then, along the frontier of what fits, whole verdicts. Longer and
/// wider runs are taken to need more, so one verdict speaks for all that is shorter and narrower.
pub struct Search {
    scenario: Scenario,
    usable: Option<u64>,
    map: Map,
    /// Combinations whose peak is known.
    measured: usize,
    /// The combination that is judged next.
    next: (usize, usize),
}

impl Search {
    /// Before the first step.
    pub fn of(scenario: &Scenario) -> Self {
        Search {
            usable: scenario.card().map(|card| card.usable_bytes()),
            scenario: scenario.clone(),
            map: blank(),
            measured: 0,
            next: (BATCHES.len() - 1, 0),
        }
    }

    /// Takes a step; the map when it is complete.
    pub fn step(&mut self) -> Option<Map> {
        if self.measured < SEQS.len() * BATCHES.len() {
            let (row, column) = (self.measured / SEQS.len(), self.measured % SEQS.len());
            self.map[row][column].live = peak_allocated(self.at(row, column)).ok();
            self.measured += 1;
            return None;
        }
        let (row, column) = self.next;
        let Some(usable) = self.usable.filter(|_| column < SEQS.len()) else {
            return Some(std::mem::take(&mut self.map));
        };
        let verdict = self.judge(row, column, usable);
        self.map[row][column].verdict = verdict;
        if verdict == Some(Verdict::Fits) {
            self.map[..row]
                .iter_mut()
                .for_each(|cells| cells[column].verdict = verdict);
        }
        match row.checked_sub(1).filter(|_| verdict != Some(Verdict::Fits)) {
            Some(narrower) => self.next.0 = narrower,
            None => self.go_on_from(column),
        }
        None
    }

    fn at(&mut self, row: usize, column: usize) -> &Scenario {
        (self.scenario.batch, self.scenario.seq) = (BATCHES[row], SEQS[column]);
        &self.scenario
    }

    fn judge(&mut self, row: usize, column: usize, usable: u64) -> Option<Verdict> {
        // Live tensors alone may be too much already.
        if self.map[row][column].live? > usable {
            return Some(Verdict::Exceeds);
        }
        Some(fit(self.at(row, column)).ok()??.verdict)
    }

    /// To the next column. What is too wide for this length is too wide for longer ones.
    fn go_on_from(&mut self, column: usize) {
        let passes =
            |cells: &Vec<Cell>| matches!(cells[column].verdict, Some(Verdict::Fits | Verdict::Tight));
        let widest = self.map.iter().rposition(passes);
        let (too_wide, columns) = match widest {
            Some(row) => (row + 1, column + 1..(column + 2).min(SEQS.len())),
            None => (0, column + 1..SEQS.len()),
        };
        for cells in &mut self.map[too_wide..] {
            for cell in &mut cells[columns.clone()] {
                cell.verdict = cell.live.map(|_| Verdict::Exceeds);
            }
        }
        self.next = match widest {
            Some(row) => (row, column + 1),
            None => (0, SEQS.len()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::estimate;

    fn filled(scenario: &Scenario) -> (Map, usize) {
        let mut search = Search::of(&key(scenario));
        let mut steps = 0;
        loop {
            steps += 1;
            if let Some(map) = search.step() {
                return (map, steps - SEQS.len() * BATCHES.len());
            }
        }
    }

    #[test]
    fn the_map_says_what_single_estimates_say() {
        let (map, steps) = filled(&Scenario::default());
        assert!(
            steps <= SEQS.len() + 2 * BATCHES.len(),
            "{steps} steps along the frontier"
        );
        for (row, column) in [(0, 0), (1, 3), (2, 2), (2, 3), (1, 4), (0, 5), (7, 0)] {
            let scenario = Scenario {
                batch: BATCHES[row],
                seq: SEQS[column],
                ..Scenario::default()
            };
            let estimate = estimate(&scenario).unwrap();
            assert_eq!(map[row][column].verdict, estimate.verdict, "{row} {column}");
            assert!(map[row][column].live.unwrap() <= estimate.allocated_bytes);
        }
    }

    #[test]
    fn every_combination_that_is_accepted_has_a_verdict() {
        for gpu in ["rtx-3060-12gb", "h200-sxm-141gb", "t4"] {
            let scenario = Scenario {
                gpu: Some(gpu.into()),
                ..Scenario::default()
            };
            for cell in filled(&scenario).0.iter().flatten() {
                assert_eq!(cell.live.is_some(), cell.verdict.is_some(), "{gpu}");
            }
        }
    }

    #[test]
    fn without_a_card_there_are_peaks_and_no_verdicts() {
        let scenario = Scenario {
            gpu: None,
            ..Scenario::default()
        };
        let (map, _) = filled(&scenario);
        assert!(map.iter().flatten().all(|cell| cell.verdict.is_none()));
        assert!(map[0][0].live.is_some());
    }

    #[test]
    fn length_and_batch_of_the_scenario_ask_for_no_other_map() {
        let scenario = Scenario {
            seq: 3000,
            batch: 3,
            ..Scenario::default()
        };
        assert_eq!(key(&scenario), key(&Scenario::default()));
    }
}
