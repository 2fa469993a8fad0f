//! Off-loaded checkpointing (`unsloth_zoo/gradient_checkpointing.py: UnslothCheckpointFunction`): the input of a layer
//! waits in pinned host memory, and comes back into one of two buffers on the GPU.

use crate::plan::Plan;
use crate::replay::{Dtype, Tape, Tensor};
use crate::scenario::{Checkpointing, Release};
use std::cell::{Cell, RefCell};

/// Elements of a new staging buffer (`initialize_unsloth_gradient_checkpointing`).
const FIRST_ELEMENTS: u64 = 1 << 20;
/// Smaller inputs stay on the GPU (`MINIMUM_SIZE`).
const MINIMUM_BYTES: u64 = 2 << 20;
/// Host buffers at the start, and their elements.
const HOST_BUFFERS: u64 = 200;
const HOST_ELEMENTS: u64 = 128 * 1024;

/// The staging buffers.
#[derive(Debug, Default)]
pub struct Staging<'t> {
    first: RefCell<Option<Tensor<'t>>>,
    second: RefCell<Option<Tensor<'t>>>,
    /// Has a backward pass run?
    backward_ran: Cell<bool>,
}

/// Elements of a layer's input.
fn elements(plan: &Plan) -> u64 {
    plan.tokens().saturating_mul(plan.arch.hidden)
}

/// Do layer inputs come back into new memory, as in the first releases
/// (`unsloth/models/_utils.py: Unsloth_Offloaded_Gradient_Checkpointer`)?
pub fn waits_on_the_host(plan: &Plan) -> bool {
    plan.checkpointing == Checkpointing::Unsloth && plan.release == Release::AllLogits
}

/// Are layer inputs taken off the GPU, to come back into staging buffers?
fn offloads(plan: &Plan) -> bool {
    plan.checkpointing == Checkpointing::Unsloth
        && plan.release != Release::AllLogits
        && elements(plan).saturating_mul(plan.dtype.size()) > MINIMUM_BYTES
}

/// Is there a second buffer, as from 2026 on?
fn has_two(plan: &Plan) -> bool {
    plan.release == Release::Current
}

impl<'t> Staging<'t> {
    fn buffer(tape: &'t Tape, plan: &Plan, elements: u64) -> Tensor<'t> {
        tape.temporary(&[elements], plan.dtype, "gpu_buffer")
    }

    /// The buffer that this layer's input comes back into; nothing when it stays. The last layer's input stays, once a
    /// first pass has told which one that is.
    pub fn of(&self, tape: &'t Tape, plan: &Plan, layer: u32) -> Option<Tensor<'t>> {
        let last = u64::from(layer) + 1 == plan.arch.layers;
        if !offloads(plan) || (last && self.backward_ran.get()) {
            return None;
        }
        let fresh = self.first.borrow().is_none();
        if fresh {
            *self.first.borrow_mut() = Some(Self::buffer(tape, plan, FIRST_ELEMENTS));
            *self.second.borrow_mut() = has_two(plan).then(|| Self::buffer(tape, plan, FIRST_ELEMENTS));
        }
        self.grow(tape, plan, &self.first);
        if self.backward_ran.get() {
            // "Double buffering enabled"
            self.grow(tape, plan, &self.second);
        }
        self.first.borrow().clone()
    }

    /// `resize_`: the new memory is taken before the old is given back.
    fn grow(&self, tape: &'t Tape, plan: &Plan, buffer: &RefCell<Option<Tensor<'t>>>) {
        let small = buffer
            .borrow()
            .as_ref()
            .is_some_and(|held| held.layout().numel() < elements(plan));
        if small {
            let grown = Self::buffer(tape, plan, elements(plan));
            *buffer.borrow_mut() = Some(grown);
        }
    }

    /// A backward pass has run.
    pub fn after_backward(&self) {
        self.backward_ran.set(true);
    }

    /// The buffers as after the first step. The second one grows in the first layer of the second forward pass.
    pub fn settle(&self, tape: &'t Tape, plan: &Plan) {
        self.backward_ran.set(true);
        if offloads(plan) {
            let grown = elements(plan).max(FIRST_ELEMENTS);
            *self.first.borrow_mut() = Some(Self::buffer(tape, plan, grown));
            let used_again = plan.grad_accum > 1 && plan.arch.layers > 1;
            let second = if used_again { grown } else { FIRST_ELEMENTS };
            *self.second.borrow_mut() = has_two(plan).then(|| Self::buffer(tape, plan, second));
        }
    }
}

/// Pinned host memory of layer inputs: PyTorch's host allocator rounds blocks up to a power of two.
pub fn host_bytes(plan: &Plan) -> u64 {
    if waits_on_the_host(plan) {
        // `hidden_states.to("cpu")`: ordinary memory.
        let input = elements(plan).saturating_mul(plan.dtype.size());
        return plan.arch.layers.saturating_mul(input);
    }
    if !offloads(plan) {
        return 0;
    }
    let size = Dtype::Bf16.size();
    let used = plan.arch.layers;
    let grown = elements(plan)
        .max(HOST_ELEMENTS)
        .saturating_mul(size)
        .next_power_of_two();
    let idle = HOST_BUFFERS.saturating_sub(used) * HOST_ELEMENTS * size;
    used.saturating_mul(grown).saturating_add(idle)
}
