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
    let mut ascending = batches.to_vec();
    ascending.sort_unstable();
    ascending.dedup();
    let mut cell = scenario.clone();
    let mut rows = vec![vec![None; seqs.len()]; batches.len()];
    stack::sweep(&plan, |peaks| {
        for (column, &seq) in seqs.iter().enumerate() {
            cell.seq = seq;
            let known = peaks(&ascending, &mut |batch| {
                cell.batch = batch;
                resolve(&cell).ok()
            });
            for (row, batch) in rows.iter_mut().zip(batches) {
                row[column] = ascending.binary_search(batch).ok().and_then(|at| known[at]);
            }
        }
    });
    Ok(rows)
}
