//! The result: quantities, breakdown, the moment of the peak, and the verdict.

pub mod calibration;
mod capacity;
mod estimates;
mod fit;
mod grid;
mod notes;
pub mod part;
mod process;
mod reading;
mod run;
mod timeline;
mod verdict;

pub use timeline::{CATEGORIES, Column, Live, Moment, Span, Tensors, Timeline};

use crate::plan::Plan;
use crate::scenario::{FieldError, Scenario, Stack};
use crate::stack;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::replay::Category;
pub use estimates::Estimates;
pub use fit::{Fit, fit};
pub use grid::grid;
pub(crate) use run::Run;
pub use verdict::Room;
pub(crate) use verdict::room_on;

/// A figure that varies from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Interval {
    /// 5 % of runs are below.
    pub low: u64,
    /// The expected value.
    pub expected: u64,
    /// 5 % of runs are above.
    pub high: u64,
}

/// Does it fit?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub enum Verdict {
    /// Also at the upper end of the interval.
    Fits,
    /// At the expected value but not at the upper end.
    Tight,
    /// Not at the expected value.
    Exceeds,
}

/// The moment of the highest allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Peak {
    /// `forward`, `backward`, `clip`, `optimizer` ...
    pub phase: String,
    /// The place in one word, such as `layer_backward:31`, `loss_backward`, `recompute:0`, `optimizer`.
    #[serde(rename = "where")]
    pub place: String,
    /// The same in a sentence.
    pub description: String,
    /// The training step (1 or 2; optimizer states are born in the first).
    pub step: u32,
}

/// The highest allocation within one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct PhasePeak {
    /// `load`, `data`, `forward`, `backward`, `clip`, `optimizer`, `zero_grad`.
    pub phase: String,
    /// The training step, 0 while loading.
    pub step: u32,
    /// The micro-batch within the step.
    pub micro: u32,
    /// Highest live bytes within the phase.
    pub peak_bytes: u64,
    /// Live bytes when the phase ends.
    pub end_bytes: u64,
}

/// Where the interval of a process figure comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Evidence {
    /// The source, in a sentence.
    pub source: String,
    /// How many measured runs stand behind it.
    pub runs: u32,
}

/// How much memory a run takes. Every quantity is in bytes and says which one it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "module", derive(tsify::Tsify))]
pub struct Estimate {
    /// Version of the cost model.
    pub cost_model: String,
    /// Peak of live tensors: `torch.cuda.max_memory_allocated`.
    pub allocated_bytes: u64,
    /// What the caching allocator holds at most: `max_memory_reserved`.
    pub reserved_bytes: u64,
    /// The smallest device memory for the allocator with which the run gets through.
    pub least_capacity_bytes: u64,
    /// Reserved plus CUDA context and libraries: what `nvidia-smi` shows.
    pub process_bytes: Interval,
    /// CUDA context and libraries alone.
    pub context_bytes: Interval,
    /// Pinned and managed host memory.
    pub host_bytes: u64,
    /// Memory of the card that a process can use, without a card null.
    pub capacity_bytes: Option<u64>,
    /// Does it fit? Null without a card.
    pub verdict: Option<Verdict>,
    /// Capacity less what is needed; negative when it does not fit. Null without a card.
    pub headroom_bytes: Option<i64>,
    /// The moment of the peak.
    pub peak: Peak,
    /// Bytes by category at the peak; they sum to `allocated_bytes`.
    #[cfg_attr(feature = "module", tsify(type = "Partial<Record<Category, number>>"))]
    pub breakdown: BTreeMap<Category, u64>,
    /// The highest point of each phase.
    pub phases: Vec<PhasePeak>,
    /// Weights that are trained.
    pub trainable_params: u64,
    /// All weights.
    pub total_params: u64,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Where the interval comes from.
    pub evidence: Evidence,
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(untagged)]
pub enum EstimateError {
    /// Fields that cannot be used as they are; each names itself and the fix.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// A run that the model cannot express; refused rather than guessed.
    #[error("not modelled: {0}")]
    NotModelled(String),
}

/// Version of the cost model; changes whenever an estimate may change.
pub const COST_MODEL: &str = "1";

/// Estimates one scenario.
///
/// ```
/// use plimsoll::estimate::{Verdict, estimate};
/// use plimsoll::scenario::Scenario;
///
/// let estimate = estimate(&Scenario::default()).expect("the default scenario is sound");
/// assert_eq!(estimate.verdict, Some(Verdict::Fits));
/// assert_eq!(estimate.breakdown.values().sum::<u64>(), estimate.allocated_bytes);
/// ```
///
/// # Errors
/// [`EstimateError::Invalid`] names every field that cannot be used; [`EstimateError::NotModelled`] gives the reason
/// why a sound scenario is refused.
pub fn estimate(scenario: &Scenario) -> Result<Estimate, EstimateError> {
    Ok(Run::of(resolve(scenario)?)?.estimate(scenario))
}

/// CUDA context and libraries of a process under a stack on a card of this compute capability: [`Estimate::context_bytes`] of every
/// run there.
pub fn context(capability: (u32, u32), stack: Stack) -> Interval {
    process::context(capability, stack).interval()
}

/// The peak of live tensors alone, each rounded up to the allocator's 512 bytes, by segments: what sliders, sweeps and
/// solvers ask for. It leaves out only block remainders of at most 1 MiB each, which [`estimate`] includes.
///
/// # Errors
/// As [`estimate`].
pub fn peak_allocated(scenario: &Scenario) -> Result<u64, EstimateError> {
    Ok(stack::peak(&resolve(scenario)?))
}

/// A scenario whose fields are sound, resolved.
fn resolve(scenario: &Scenario) -> Result<Plan, EstimateError> {
    let problems = scenario.problems();
    if !problems.is_empty() {
        return Err(EstimateError::Invalid(problems));
    }
    Plan::new(scenario)
}
