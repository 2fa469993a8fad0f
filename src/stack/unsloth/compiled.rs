//! The compiled layers of padded batches (`unsloth/models/_block_compile.py`).

use super::layer::{MLP, OUTPUT, QKV, linear_of};
use super::model::Model;
use crate::plan::{AttentionKernel, Plan};
use crate::replay::{AttentionShape, CompiledLinear, CompiledShape, Place, Tensor};
use crate::stack::hf::linear::Base;
use crate::stack::hf::model::Module;

impl<'t> Model<'t> {
    /// `decoder_layer(hidden_states)` of the recorded layer at this position, compiled.
    pub fn compiled(&self, plan: &Plan, position: usize, x: Tensor<'t>) -> Tensor<'t> {
        let a = &plan.arch.attention;
        let Some(layer) = self.base.layers.get(position) else {
            return x;
        };
        let linears: Vec<_> = QKV
            .into_iter()
            .chain([OUTPUT])
            .chain(MLP)
            .filter_map(|path| linear_of(layer, path))
            .map(|linear| CompiledLinear {
                inputs: linear.inputs,
                outputs: linear.outputs,
                packed: matches!(linear.base, Base::FourBit { .. }),
                lora: linear.lora.as_ref().map(|own| (&own.a, &own.b)),
                drops: linear.dropout,
            })
            .collect();
        let Ok(linears) = linears.try_into() else {
            return x;
        };
        let shape = CompiledShape {
            attention: AttentionShape {
                batch: plan.batch,
                heads: a.heads,
                kv_heads: a.kv_heads,
                seq: plan.row_length(),
                head_dim: a.head_dim,
                value_dim: a.head_dim,
                dtype: x.dtype(),
                dropout: false,
            },
            width: plan.arch.mlp.width,
            head_norms: a.query_norm.is_some(),
            efficient: plan.attention != AttentionKernel::Flash,
            biases: layer.parts.iter().any(|(part, module)| {
                part.path == QKV[0] && matches!(module, Module::Linear(linear) if linear.bias.is_some())
            }),
        };
        let tape = x.tape();
        let outer = tape.enter(Place {
            layer: Some(layer.index),
            module: "",
        });
        let out = x.compiled_layer(&shape, &linears);
        tape.enter(outer);
        out
    }
}
