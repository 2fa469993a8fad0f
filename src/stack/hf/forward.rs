//! The forward pass of Llama-type models, written as the modeling code of transformers
//! (`models/llama/modeling_llama.py`; Qwen2, Qwen3 and Mistral differ by biases, head norms and windows).

use super::model::{Layer, Model};
use crate::estimate::Category;
use crate::plan::{AttentionKernel, Plan};
use crate::replay::{AttentionShape, Dtype, Group, Place, Tape, Tensor};
use crate::scenario::Checkpointing;

/// What every layer receives beside the hidden states.
#[derive(Debug, Clone)]
pub struct Shared<'t> {
    /// Rotary tables: 1 x 1 x sequence x width of a head.
    pub cos: Tensor<'t>,
    /// As `cos`.
    pub sin: Tensor<'t>,
    /// `position_ids`.
    pub positions: Tensor<'t>,
    /// Additive mask: batch x 1 x sequence x sequence.
    pub mask: Option<Tensor<'t>>,
}

impl<'t> Shared<'t> {
    /// The tensors, as a checkpointed call holds them.
    fn tensors(&self) -> Vec<&Tensor<'t>> {
        [&self.cos, &self.sin, &self.positions]
            .into_iter()
            .chain(&self.mask)
            .collect()
    }

    fn from_tensors(tensors: Vec<Tensor<'t>>) -> Option<Self> {
        let mut tensors = tensors.into_iter();
        Some(Shared {
            cos: tensors.next()?,
            sin: tensors.next()?,
            positions: tensors.next()?,
            mask: tensors.next(),
        })
    }
}

/// A batch on the GPU.
#[derive(Debug)]
pub struct Batch<'t> {
    /// `input_ids`.
    pub ids: Tensor<'t>,
    /// `labels`, held as long as the batch is.
    pub _labels: Tensor<'t>,
}

impl<'t> Batch<'t> {
    /// Token ids and labels move to the GPU.
    pub fn load(tape: &'t Tape, plan: &Plan) -> Self {
        let move_to = |name| tape.tensor(&[plan.batch, plan.seq], Dtype::I64, Category::Inputs, name);
        Batch {
            ids: move_to("input_ids"),
            _labels: move_to("labels"),
        }
    }
}

/// `LlamaRMSNorm.forward`.
fn rms_norm<'t>(x: &Tensor<'t>, weight: &Tensor<'t>) -> Tensor<'t> {
    let dtype = x.dtype();
    let mut hidden = x.to(Dtype::F32);
    let variance = hidden.square().mean_last();
    let scale = variance.add_number().rsqrt();
    hidden = hidden.mul(&scale);
    drop(scale);
    weight.mul(&hidden.to(dtype))
}

/// `rotate_half`.
fn rotate_half<'t>(x: &Tensor<'t>) -> Tensor<'t> {
    let half = x.layout().last() / 2;
    let (x1, x2) = (x.narrow_last(half), x.narrow_last(half));
    x2.neg().cat_last(&x1)
}

/// One tensor of `apply_rotary_pos_emb`.
fn rotate<'t>(x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
    let straight = x.mul(&shared.cos);
    let turned = rotate_half(x).mul(&shared.sin);
    straight.add(&turned)
}

/// SDPA's math kernel (`aten/src/ATen/native/transformers/attention.cpp: _scaled_dot_product_attention_math`): in fp32,
/// with a causal mask of its own.
fn math_attention<'t>(plan: &Plan, q: &Tensor<'t>, k: &Tensor<'t>, v: &Tensor<'t>) -> Tensor<'t> {
    let (tape, dtype, s) = (q.tape(), q.dtype(), plan.seq);
    let times = plan.arch.attention.heads / plan.arch.attention.kv_heads;
    let (q, k, v) = (q.to(Dtype::F32), k.to(Dtype::F32), v.to(Dtype::F32));
    let q = q.scale();
    let mask = {
        let ones = tape.temporary(&[s, s], Dtype::Bool, "ones");
        let _lower = tape.temporary(&[s, s], Dtype::Bool, "tril");
        drop(ones);
        let _scalars = (
            tape.temporary(&[], Dtype::F32, "scalar"),
            tape.temporary(&[], Dtype::F32, "scalar"),
        );
        tape.temporary(&[s, s], Dtype::F32, "where")
    };
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    let weights = {
        // The mask is added in place.
        let scores = q.matmul_heads(&k.transpose(2, 3).scale());
        scores.safe_softmax()
    };
    let _returned = (dtype != Dtype::F32).then(|| tape.no_grad(|| weights.to(dtype)));
    let out = weights.matmul_heads(&v).to(dtype);
    drop(mask);
    out
}

/// Transformers' eager attention.
fn plain_attention<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> Tensor<'t> {
    let a = &plan.arch.attention;
    let times = a.heads / a.kv_heads;
    let (k, v) = (k.repeat_heads(times), v.repeat_heads(times));
    let mut weights = q.matmul_heads(&k.transpose(2, 3)).scale();
    if let Some(mask) = &shared.mask {
        weights = weights.add(mask);
    }
    weights = weights.softmax(Dtype::F32).to(q.dtype());
    weights.matmul_heads(&v)
}

fn attention<'t>(
    plan: &Plan,
    q: &Tensor<'t>,
    k: &Tensor<'t>,
    v: &Tensor<'t>,
    shared: &Shared<'t>,
) -> Tensor<'t> {
    let sdpa_operands = || {
        // Autocast casts the arguments of the call from the last to the first.
        let dtype = q.tape().autocast();
        let cast = |t: &Tensor<'t>| dtype.map_or_else(|| t.clone(), |dtype| t.to(dtype));
        let (v, k, q) = (cast(v), cast(k), cast(q));
        (q, k, v)
    };
    let out = match plan.attention {
        AttentionKernel::Flash => {
            let (q, k, v) = sdpa_operands();
            let a = &plan.arch.attention;
            let shape = AttentionShape {
                batch: plan.batch,
                heads: a.heads,
                kv_heads: a.kv_heads,
                seq: plan.seq,
                head_dim: a.head_dim,
                value_dim: a.head_dim,
                dtype: q.dtype(),
            };
            q.sdpa_flash(&k, &v, shape, plan.device)
        }
        AttentionKernel::Math => {
            let (q, k, v) = sdpa_operands();
            math_attention(plan, &q, &k, &v)
        }
        AttentionKernel::Eager => plain_attention(plan, q, k, v, shared),
    };
    out.transpose(1, 2).contiguous()
}

impl<'t> Layer<'t> {
    fn self_attention(&self, plan: &Plan, x: &Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
        let a = &plan.arch.attention;
        let heads = |t: Tensor<'t>, n: u64| t.reshape(&[plan.batch, plan.seq, n, a.head_dim]);
        let tape = x.tape();
        let (mut q, mut k, v);
        match &self.head_norms {
            None => {
                q = heads(self.q.forward(x), a.heads).transpose(1, 2);
                k = heads(self.k.forward(x), a.kv_heads).transpose(1, 2);
            }
            Some((q_norm, k_norm)) => {
                q = heads(self.q.forward(x), a.heads);
                q = tape
                    .within("self_attn.q_norm", || rms_norm(&q, q_norm))
                    .transpose(1, 2);
                k = heads(self.k.forward(x), a.kv_heads);
                k = tape
                    .within("self_attn.k_norm", || rms_norm(&k, k_norm))
                    .transpose(1, 2);
            }
        }
        v = heads(self.v.forward(x), a.kv_heads).transpose(1, 2);
        let out = tape.within("self_attn", || {
            (q, k) = (rotate(&q, shared), rotate(&k, shared));
            let mut out = attention(plan, &q, &k, &v, shared);
            out = out.reshape(&[plan.batch, plan.seq, a.heads * a.head_dim]);
            out
        });
        self.o.forward(&out)
    }

    fn mlp(&self, plan: &Plan, x: &Tensor<'t>) -> Tensor<'t> {
        let product = {
            let gate = {
                let gate = self.gate.forward(x);
                x.tape()
                    .within("mlp.act_fn", || gate.activation(plan.arch.mlp.activation))
            };
            let up = self.up.forward(x);
            x.tape().within("mlp", || gate.mul(&up))
        };
        self.down.forward(&product)
    }

    /// `LlamaDecoderLayer.forward`.
    pub fn forward(&self, plan: &Plan, x: Tensor<'t>, shared: &Shared<'t>) -> Tensor<'t> {
        let tape = x.tape();
        let outer = tape.enter(Place {
            layer: Some(self.index),
            module: "",
        });
        let mut residual = x;
        let mut hidden = tape.within("input_layernorm", || rms_norm(&residual, &self.input_norm));
        hidden = self.self_attention(plan, &hidden, shared);
        hidden = residual.add(&hidden);
        residual = hidden;
        hidden = tape.within("post_attention_layernorm", || rms_norm(&residual, &self.mlp_norm));
        hidden = self.mlp(plan, &hidden);
        hidden = residual.add(&hidden);
        drop(residual);
        tape.enter(outer);
        hidden
    }
}

impl<'t> Model<'t> {
    /// Positions, packed-sequence detection and the mask that transformers makes of them (`masking_utils.py`).
    fn mask(&self, tape: &'t Tape, plan: &Plan, dtype: Dtype) -> Option<Tensor<'t>> {
        let (b, s) = (plan.batch, plan.seq);
        let temporary = |shape: &[u64], dtype, op| tape.temporary(shape, dtype, op);
        {
            let _first = temporary(&[b, 1], Dtype::I64, "sub");
            let _difference = {
                let _padded = temporary(&[b, s + 1], Dtype::I64, "diff");
                temporary(&[b, s], Dtype::I64, "diff")
            };
            let _sequences = {
                let _breaks = temporary(&[b, s], Dtype::Bool, "ne");
                let sum = temporary(&[b, s], Dtype::I64, "cumsum");
                let _input = temporary(&[b, s], Dtype::I64, "cumsum");
                sum
            };
            let _whole = temporary(&[b], Dtype::Bool, "eq");
            let _all = temporary(&[], Dtype::Bool, "all");
        }
        if plan.attention != AttentionKernel::Eager {
            return None;
        }
        let allowed = {
            let _batch = temporary(&[b], Dtype::I64, "arange");
            let _head = temporary(&[1], Dtype::I64, "arange");
            let positions = || {
                let _range = temporary(&[s], Dtype::I64, "arange");
                temporary(&[s], Dtype::I64, "add")
            };
            let (_queries, _keys) = (positions(), positions());
            temporary(&[1, 1, s, s], Dtype::Bool, "le")
        };
        let mask = {
            let _zero = temporary(&[], dtype, "tensor");
            let _scalar = temporary(&[], dtype, "where");
            temporary(&[b, 1, s, s], dtype, "where")
        };
        drop(allowed);
        Some(mask)
    }

    /// `LlamaRotaryEmbedding.forward`: cosine and sine in fp32, then in the dtype of the hidden states.
    fn rotary(&self, tape: &'t Tape, plan: &Plan, dtype: Dtype) -> (Tensor<'t>, Tensor<'t>) {
        let (s, d) = (plan.seq, plan.arch.attention.head_dim);
        let table = |op| tape.temporary(&[1, 1, s, d], Dtype::F32, op);
        tape.within("rotary_emb", || {
            let _positions = tape.temporary(&[1, 1, s], Dtype::F32, "float");
            let _frequencies = tape.temporary(&[1, d / 2, s], Dtype::F32, "matmul");
            tape.touch_workspace();
            let _angles = table("cat");
            let scaled = |op| {
                let _raw = table(op);
                table("mul")
            };
            let (cos, sin) = (scaled("cos"), scaled("sin"));
            (cos.to(dtype), sin.to(dtype))
        })
    }

    /// `LlamaModel.forward`: embedding, layers, norm.
    pub fn hidden_states(&self, tape: &'t Tape, plan: &Plan, batch: &Batch<'t>) -> Tensor<'t> {
        let embeds = tape.within("embed_tokens", || self.embed.embedding(&batch.ids));
        if self.input_requires_grad {
            embeds.set_requires_grad(true);
        }
        let positions = {
            let _range = tape.temporary(&[plan.seq], Dtype::I64, "arange");
            tape.temporary(&[plan.seq], Dtype::I64, "add")
        };
        let mask = self.mask(tape, plan, embeds.dtype());
        let (cos, sin) = self.rotary(tape, plan, embeds.dtype());
        let shared = Shared {
            cos,
            sin,
            positions,
            mask,
        };
        let held = shared.tensors();
        let mut hidden = embeds.clone();
        for layer in &self.layers {
            tape.enter_group(layer.group);
            hidden = match plan.checkpointing {
                Checkpointing::None | Checkpointing::Unsloth => layer.forward(plan, hidden.clone(), &shared),
                Checkpointing::Hf => {
                    tape.checkpoint(layer.index, &hidden, &held, |x| layer.forward(plan, x, &shared))
                }
                Checkpointing::HfReentrant => tape
                    .checkpoint_reentrant(layer.index, &hidden, &held, |x| layer.forward(plan, x, &shared)),
            };
        }
        tape.enter_group(Group::default());
        hidden = tape.within("norm", || rms_norm(&hidden, &self.norm));
        drop(embeds);
        hidden
    }

    /// `loss.backward()`.
    pub fn backward(&self, tape: &'t Tape, plan: &Plan, loss: &Tensor<'t>) {
        tape.backward(loss, &|index, x, held| match (
            self.layers.iter().find(|l| l.index == index),
            Shared::from_tensors(held),
        ) {
            (Some(layer), Some(shared)) => layer.forward(plan, x, &shared),
            _ => x,
        });
    }
}
