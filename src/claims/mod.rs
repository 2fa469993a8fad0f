//! Published claims about memory, held against the user's own scenario. Every number is the difference of two
//! estimates of peak allocated memory; nothing else differs between the two runs than the claim is about.

mod dynamic;
mod eight_bit;
mod four_bit;
mod fp8;

use crate::bytes::Bytes;
use crate::estimate::{EstimateError, peak_allocated};
use crate::scenario::{FieldError, Method, Optimizer, Scenario, WeightFormat};
use serde::Serialize;

/// One published claim and what becomes of it here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// A stable name: `adamw-8bit`, `four-bit`, `dynamic-4bit`, `fp8`.
    pub id: &'static str,
    /// What is claimed, in a few words of ours.
    pub title: &'static str,
    /// The published figure.
    pub published: &'static str,
    /// Who published it.
    pub source: &'static str,
    /// Does it hold for this scenario?
    pub judgement: Judgement,
    /// The comparison; none where one of the two runs cannot be had.
    pub here: Option<Comparison>,
    /// Why there is no comparison.
    pub open_because: Option<String>,
    /// Where the claim holds and where not, for this scenario's numbers. A few sentences.
    pub notes: Vec<String>,
}

/// What a claim comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The number here is the claimed one, or better.
    Holds,
    /// Less is saved, or more is paid, than claimed.
    FallsShort,
    /// More is saved than claimed.
    Exceeds,
    /// One of the two runs cannot be had or is not known.
    Open,
}

impl Judgement {
    /// In a word or two.
    pub const fn label(self) -> &'static str {
        match self {
            Judgement::Holds => "holds",
            Judgement::FallsShort => "does not hold",
            Judgement::Exceeds => "saves more",
            Judgement::Open => "open",
        }
    }
}

/// One of two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What it runs with.
    pub label: String,
    /// Its peak of allocated memory.
    pub allocated_bytes: u64,
}

/// Two runs that differ in what a claim is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Without it.
    pub without: Side,
    /// With it.
    pub with: Side,
    /// Bytes that are saved; negative when the run with it takes more.
    pub saved_bytes: i64,
    /// What is saved as a share of the run without it.
    pub share: f64,
}

impl Comparison {
    fn of(without: (String, &Scenario), with: (String, &Scenario)) -> Result<Self, String> {
        let side = |(label, scenario)| match peak_allocated(scenario) {
            Ok(allocated_bytes) => Ok(Side {
                label,
                allocated_bytes,
            }),
            Err(error) => Err(reason(error)),
        };
        let (without, with) = (side(without)?, side(with)?);
        let [a, b] = [&without, &with].map(|side| i64::try_from(side.allocated_bytes).unwrap_or(i64::MAX));
        Ok(Comparison {
            saved_bytes: a - b,
            share: (a - b) as f64 / a.max(1) as f64,
            without,
            with,
        })
    }

    /// How many times smaller the run is with it.
    pub fn times(&self) -> f64 {
        self.without.allocated_bytes as f64 / self.with.allocated_bytes.max(1) as f64
    }
}

/// Every claim, held against a scenario.
///
/// ```
/// use plimsoll::claims::{Judgement, claims};
/// use plimsoll::scenario::Scenario;
///
/// // QLoRA of rank 16: far from "up to 2 GB".
/// let claims = claims(&Scenario::default()).expect("the default scenario is sound");
/// assert_eq!(claims[0].id, "adamw-8bit");
/// assert_eq!(claims[0].judgement, Judgement::FallsShort);
/// ```
///
/// # Errors
/// When the scenario itself has no estimate. A claim whose other run has none says so.
pub fn claims(scenario: &Scenario) -> Result<Vec<Claim>, EstimateError> {
    peak_allocated(scenario)?;
    Ok(vec![
        eight_bit::claim(scenario),
        four_bit::claim(scenario),
        dynamic::claim(scenario),
        fp8::claim(scenario),
    ])
}

/// The scenario with another optimizer.
fn with_optimizer(scenario: &Scenario, optimizer: Optimizer) -> Scenario {
    Scenario {
        optimizer,
        ..scenario.clone()
    }
}

/// The scenario's adapters on weights in another format: what is fully trained becomes LoRA, as quantized weights
/// cannot be trained.
fn adapters_on(scenario: &Scenario, weights: WeightFormat) -> Scenario {
    let mut changed = scenario.clone();
    if changed.method == Method::Full {
        changed.method = Method::Lora;
    }
    changed.set_weights(weights);
    if weights != WeightFormat::Dynamic4bit {
        changed.skip_modules = Vec::new();
    }
    changed
}

/// Why a comparison is not to be had, for a person.
fn reason(error: EstimateError) -> String {
    match error {
        EstimateError::NotModelled(reason) => reason,
        EstimateError::Invalid(fields) => FieldError::list(&fields),
    }
}

/// `1.20 GiB`, with its sign when negative.
fn signed(bytes: i64) -> String {
    let size = Bytes(bytes.unsigned_abs());
    if bytes < 0 {
        format!("-{size}")
    } else {
        size.to_string()
    }
}

/// `12 %`.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
