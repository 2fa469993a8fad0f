//! The forward pass of a decoder-only model, up to the hidden states (`LlamaModel.forward`), and its backward pass.

use super::cache::Cache;
use super::mask::{causal_mask, recurrent_mask};
use super::model::Model;
use super::norm::norm;
use super::rotary::{Shared, rotary_tables};
use super::streams;
use crate::estimate::Category;
use crate::plan::Plan;
use crate::replay::{Dtype, Group, Tape, Tensor};
use crate::scenario::Checkpointing;
use std::rc::Rc;

/// A batch on the GPU.
#[derive(Debug)]
pub struct Batch<'t> {
    /// `input_ids`.
    pub ids: Tensor<'t>,
    /// `labels`, held as long as the batch is.
    pub _labels: Tensor<'t>,
    /// `attention_mask`, when there is padding.
    pub mask: Option<Tensor<'t>>,
}

impl<'t> Batch<'t> {
    /// Token ids and labels move to the GPU.
    pub fn load(tape: &'t Tape, plan: &Plan) -> Self {
        let move_to = |name| tape.tensor(&[plan.batch, plan.seq], Dtype::I64, Category::Inputs, name);
        Batch {
            ids: move_to("input_ids"),
            _labels: move_to("labels"),
            mask: Self::padding(tape, plan),
        }
    }

    /// `attention_mask`, when there is padding.
    fn padding(tape: &'t Tape, plan: &Plan) -> Option<Tensor<'t>> {
        let shape = [plan.batch, plan.seq];
        plan.padding
            .then(|| tape.tensor(&shape, Dtype::I64, Category::Inputs, "attention_mask"))
    }
}

/// What layers without a window, layers with one and layers that do not attend receive.
struct ByWindow<'t> {
    full: Option<Shared<'t>>,
    windowed: Option<Shared<'t>>,
    /// What layers receive that do not attend.
    recurrent: Option<Shared<'t>>,
    /// Masks that no layer takes.
    _idle: [Option<Tensor<'t>>; 2],
    /// `position_ids`.
    _positions: Tensor<'t>,
}

impl<'t> ByWindow<'t> {
    fn of(&self, plan: &Plan, layer: u32) -> Option<&Shared<'t>> {
        if !plan.arch.attends(layer.into()) {
            self.recurrent.as_ref()
        } else if plan.arch.is_windowed(layer.into()) {
            self.windowed.as_ref()
        } else {
            self.full.as_ref()
        }
    }

    /// All of them that some layer takes.
    fn tensors(&self, plan: &Plan) -> Vec<&Tensor<'t>> {
        let takes = |index, windowed| plan.arch.attends(index) && plan.arch.is_windowed(index) == windowed;
        let is_taken = |windowed| (0..plan.arch.layers).any(|index| takes(index, windowed));
        let full = self.full.as_ref().filter(|_| is_taken(false));
        let windowed = self.windowed.as_ref().filter(|_| is_taken(true));
        let all = [full, windowed, self.recurrent.as_ref()];
        all.into_iter().flatten().flat_map(Shared::tensors).collect()
    }
}

/// Masks and rotary tables, by kind of layer. Between both, `enter` makes what enters the layers, and says its dtype.
fn shared_by_window<'t>(
    tape: &'t Tape,
    plan: &Plan,
    positions: Tensor<'t>,
    dtype: Dtype,
    padding: Option<&Tensor<'t>>,
    cache: Option<&Rc<Cache<'t>>>,
    enter: &mut dyn FnMut() -> Dtype,
) -> ByWindow<'t> {
    let windowed = |index: &u64| plan.arch.is_windowed(*index);
    let (some_full, some_windowed) = (
        !(0..plan.arch.layers).all(|i| windowed(&i)),
        (0..plan.arch.layers).any(|i| windowed(&i)),
    );
    let full =
        (some_full || plan.arch.family.masks_in_chunks()).then(|| causal_mask(tape, plan, dtype, false));
    let idle_full = (full.is_none() && plan.arch.family.masks_both_kinds())
        .then(|| causal_mask(tape, plan, dtype, false))
        .flatten();
    let masked = some_windowed || plan.arch.family.masks_an_idle_window();
    let mut sliding = masked.then(|| causal_mask(tape, plan, dtype, true));
    let idle = if some_windowed {
        None
    } else {
        sliding.take().flatten()
    };
    let recurrent = plan
        .arch
        .recurrence
        .as_ref()
        .map(|_| recurrent_mask(tape, plan, padding));
    let dtype = enter();
    let widths = rotated_widths(plan);
    let tables = rotary_tables(tape, plan, if some_full { widths[0] } else { widths[1] }, dtype);
    let own_tables = (some_full && some_windowed && plan.arch.family.has_tables_by_window())
        .then(|| rotary_tables(tape, plan, widths[1], dtype));
    let shared = |(cos, sin): &(Tensor<'t>, Tensor<'t>), mask: Option<Tensor<'t>>| Shared {
        cos: cos.clone(),
        sin: sin.clone(),
        positions: match plan.arch.family.passes_positions() {
            true => positions.clone(),
            false => cos.clone(),
        },
        mask,
        per_layer: None,
        cache: cache.cloned(),
    };
    ByWindow {
        full: full.map(|mask| shared(&tables, mask)),
        windowed: sliding.map(|mask| shared(own_tables.as_ref().unwrap_or(&tables), mask)),
        recurrent: recurrent.map(|mask| shared(&tables, mask)),
        _idle: [idle_full, idle],
        _positions: positions,
    }
}

/// Widths in which heads are rotated, in layers without a window and in those with one.
pub(super) fn rotated_widths(plan: &Plan) -> [u64; 2] {
    let usual = &plan.arch.attention;
    let global = plan.arch.global_attention.as_ref().unwrap_or(usual);
    [global.rotary_dim, usual.rotary_dim]
}

/// `torch.arange(seq_len) + past_seen_tokens`.
fn position_ids<'t>(tape: &'t Tape, plan: &Plan) -> Tensor<'t> {
    let _range = tape.temporary(&[plan.seq], Dtype::I64, "arange");
    tape.temporary(&[plan.seq], Dtype::I64, "add")
}

/// What reentrant checkpoints hold for as long as their graph lives: the function that they run again has the layer's
/// other arguments bound to it (`transformers/modeling_layers.py: GradientCheckpointingLayer.__call__`, `partial`), and
/// hangs on the node (`torch/utils/checkpoint.py: CheckpointFunction.forward`, `ctx.run_function`).
fn held_by_checkpoints<'t>(plan: &Plan, shared: &ByWindow<'t>) -> Vec<Tensor<'t>> {
    match plan.checkpointing {
        Checkpointing::HfReentrant => shared.tensors(plan).into_iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// As [`held_by_checkpoints`], of an earlier step.
pub fn held_before<'t>(tape: &'t Tape, plan: &Plan, dtype: Dtype) -> Vec<Tensor<'t>> {
    match plan.checkpointing {
        Checkpointing::HfReentrant => {
            let padding = Batch::padding(tape, plan);
            let positions = position_ids(tape, plan);
            let shared = shared_by_window(tape, plan, positions, dtype, padding.as_ref(), None, &mut || {
                dtype
            });
            held_by_checkpoints(plan, &shared)
        }
        _ => Vec::new(),
    }
}

impl<'t> Model<'t> {
    /// `embed_tokens(input_ids)`.
    fn embeddings(&self, batch: &Batch<'t>) -> Tensor<'t> {
        let rows = self.embed.embedding(&batch.ids);
        match &self.embed_scale {
            Some(scale) => rows.mul(&scale.to(self.embed.dtype())),
            None => rows,
        }
    }

    /// `get_per_layer_inputs`, then `project_per_layer_inputs` (`Gemma4TextModel`).
    #[inline(never)]
    fn per_layer_inputs(&self, plan: &Plan, batch: &Batch<'t>, embeds: &Tensor<'t>) -> Option<Tensor<'t>> {
        let (of_layer, beside) = (plan.arch.per_layer?, self.beside.as_ref()?);
        let tape = embeds.tape();
        let shape = [plan.batch, plan.seq, plan.arch.layers, of_layer.width];
        let by_token = tape.within("embed_tokens_per_layer", || {
            let table = beside.weight("embed_tokens_per_layer")?;
            let rows = table.embedding(&batch.ids);
            Some(rows.mul(&beside.scale()?.to(table.dtype())))
        })?;
        let by_token = by_token.reshape(&shape);
        let mut projected = beside.linear("per_layer_model_projection", embeds);
        // Gemma 3n holds its numbers as buffers.
        let [scale, input_scale] = beside
            .numbers()
            .map(|scale| scale.map(|scale| scale.to(embeds.dtype())));
        projected = match &scale {
            Some(scale) => projected.mul_in_place(scale),
            None => projected.scale(),
        };
        drop(scale);
        projected = projected.reshape(&shape);
        projected = beside.norm(plan, "per_layer_projection_norm", &projected);
        let sum = projected.add(&by_token);
        Some(match &input_scale {
            Some(scale) => sum.mul(scale),
            None => sum.scale(),
        })
    }

    /// `LlamaModel.forward`: embedding, layers, norm. Beside the hidden states, what their graph holds as long as it lives.
    pub fn hidden_states(
        &self,
        tape: &'t Tape,
        plan: &Plan,
        batch: &Batch<'t>,
    ) -> (Tensor<'t>, Vec<Tensor<'t>>, Option<Rc<Cache<'t>>>) {
        let mut embeds = tape.within("embed_tokens", || self.embeddings(batch));
        if self.input_requires_grad {
            embeds.set_requires_grad(true);
        }
        let mut graph: Vec<Tensor<'t>> = self.has_leaf().then(|| embeds.clone()).into_iter().collect();
        if plan.arch.family.multiplies_embeddings() {
            embeds = embeds.scale();
        }
        let per_layer = match plan.arch.per_layer {
            Some(_) => self.per_layer_inputs(plan, batch, &embeds),
            None => None,
        };
        let positions = position_ids(tape, plan);
        let cache = plan.use_cache.then(|| Rc::new(Cache::new(tape)));
        let padding = batch.mask.as_ref();
        let lent = plan.arch.shared_keys.map(|_| tape.dictionary());
        let mut hidden = embeds.clone();
        let streams = self.beside.as_ref().filter(|_| plan.arch.streams > 1);
        let mut named = streams::Named::default();
        let shared = {
            let (dtype, cache) = (embeds.dtype(), cache.as_ref());
            shared_by_window(tape, plan, positions, dtype, padding, cache, &mut || {
                if let Some(beside) = streams {
                    (hidden, named) = streams::entered(beside, &embeds);
                }
                hidden.dtype()
            })
        };
        graph.extend(held_by_checkpoints(plan, &shared));
        if tape.bounds_first_layers() {
            hidden = tape.enter_layers(&embeds, &shared.tensors(plan));
        }
        let entered = tape.bounds_first_layers().then(|| hidden.clone());
        for layer in &self.layers {
            if plan.arch.is_skipped(layer.index.into()) {
                continue;
            }
            tape.enter_group(layer.group);
            let Some(shared) = shared.of(plan, layer.index) else {
                continue;
            };
            let mut own = None;
            if let Some(all) = &per_layer {
                let part = Some(all.one_of(2));
                own = Some(Shared {
                    per_layer: part,
                    ..shared.clone()
                });
            }
            let shared = own.as_ref().unwrap_or(shared);
            let held = shared.tensors();
            hidden = match plan.checkpointing {
                Checkpointing::None | Checkpointing::Unsloth => layer.forward(plan, hidden.clone(), shared),
                Checkpointing::Hf => {
                    let held: Vec<_> = held.into_iter().chain(&shared.per_layer).collect();
                    tape.checkpoint(layer.index, &hidden, &held, |x| layer.forward(plan, x, shared))
                }
                Checkpointing::HfReentrant => {
                    let second = shared.per_layer.as_ref();
                    tape.checkpoint_reentrant(layer.index, &hidden, second, &held, |x| {
                        layer.forward(plan, x, shared)
                    })
                }
            };
        }
        tape.enter_group(Group::default());
        tape.close_dictionary();
        if let Some(beside) = streams {
            hidden = streams::left(beside, hidden, &mut named);
        }
        if let Some(entered) = entered {
            tape.leave_layers(&entered, &hidden);
        }
        hidden = tape.within("norm", || match plan.liger {
            true => hidden.liger_rms_norm(&self.norm, plan.arch.family.has_liger_norms_in_place()),
            false => norm(plan.arch.norm(), &hidden, &self.norm, self.norm_bias.as_ref()),
        });
        drop(named);
        drop(shared);
        drop(lent);
        (hidden, graph, cache)
    }

    /// Are the embedded tokens a leaf, as where frozen embeddings are made to require gradients?
    pub fn has_leaf(&self) -> bool {
        self.input_requires_grad && !self.embed.requires_grad()
    }

    /// `loss.backward()`.
    pub fn backward(&self, tape: &'t Tape, plan: &Plan, loss: &Tensor<'t>) {
        tape.backward(loss, &|index, x, held| match (
            self.layers.iter().find(|l| l.index == index),
            Shared::from_tensors(plan, held),
        ) {
            (Some(layer), Some(shared)) => layer.forward(plan, x, &shared),
            _ => x,
        });
    }
}
