//! Peaks over sequence lengths and batches: what a heat map shows.

use super::{EstimateError, resolve};
use crate::scenario::Scenario;
use crate::stack;

/// [`peak_allocated`](super::peak_allocated()) of a scenario at every one of these batches (rows) and sequence lengths
/// (columns); nothing where a combination is refused, as when it asks for more tokens than are accepted.
///
/// ```
/// use plimsoll::estimate::{grid, peak_allocated};
/// use plimsoll::scenario::Scenario;
///
/// let scenario = Scenario::default();
/// let rows = grid(&scenario, &[512, scenario.seq], &[1, scenario.batch]).expect("the default scenario is sound");
/// assert_eq!(rows[1][1], peak_allocated(&scenario).ok());
/// assert!(rows[0][0] < rows[1][1]);
/// ```
///
/// # Errors
/// As [`estimate`](super::estimate()), of the scenario itself.
pub fn grid(
    scenario: &Scenario,
    seqs: &[u64],
    batches: &[u64],
) -> Result<Vec<Vec<Option<u64>>>, EstimateError> {
    let plan = resolve(scenario)?;
    let mut cell = scenario.clone();
    Ok(stack::sweep(&plan, |peak| {
        let mut peak_at = |batch: u64, seq: u64| {
            (cell.batch, cell.seq) = (batch, seq);
            resolve(&cell).ok().map(&mut *peak)
        };
        let mut row = |&batch: &u64| seqs.iter().map(|&seq| peak_at(batch, seq)).collect();
        batches.iter().map(&mut row).collect()
    }))
}
