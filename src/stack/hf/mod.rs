//! The Hugging Face stack: transformers 5.17, PEFT 0.21, accelerate 1.15, bitsandbytes 0.50 on torch 2.11.

mod forward;
mod linear;
mod loss;
mod model;
mod optimizer;
mod prepare;
mod step;

use super::Detail;
use crate::plan::Plan;
use crate::replay::{Phase, Recording, Tape};
use model::Model;

pub use optimizer::managed_bytes;

/// Records loading and two training steps.
pub fn record(plan: &Plan, detail: Detail) -> Recording {
    let tape = Tape::new(plan.device, plan.workspace_bytes);
    tape.logits_are(plan.batch.saturating_mul(plan.seq), plan.arch.vocab);
    tape.phase(Phase::Load, 0, 0);
    let mut model = Model::load(&tape, plan, detail);
    model.prepare(&tape, plan);
    step::train(&tape, plan, &model);
    // The run ends here: what is still alive is not part of the recording.
    tape.stop();
    drop(model);
    tape.finish()
}
