//! Adafactor (`transformers/optimization.py`) with factored second moments and no first moment.

use crate::estimate::Category;
use crate::replay::{Dtype, Tape, Tensor};

/// The states of one weight.
#[derive(Debug)]
struct State<'t> {
    /// `exp_avg_sq_row` and `exp_avg_sq_col`, or `exp_avg_sq`.
    _moments: Vec<Tensor<'t>>,
    /// `RMS`.
    rms: Option<Tensor<'t>>,
}

/// The names of `step()` that stay bound from one weight to the next.
#[derive(Debug, Default)]
pub struct Names<'t> {
    grad: Option<Tensor<'t>>,
    weight: Option<Tensor<'t>>,
    update: Option<Tensor<'t>>,
}

/// States of all weights, in their order.
#[derive(Debug, Default)]
pub struct Adafactor<'t> {
    states: Vec<State<'t>>,
}

/// Shapes of a weight's factors: without the last dimension, without the one before.
fn factors(shape: &[u64]) -> Option<(Vec<u64>, Vec<u64>)> {
    let (last, before) = (shape.len().checked_sub(1)?, shape.len().checked_sub(2)?);
    let mut columns = shape.to_vec();
    columns.remove(before);
    Some((shape[..last].to_vec(), columns))
}

fn numel(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |n, &s| n.saturating_mul(s))
}

/// `_rms`: `tensor.norm(2) / numel ** 0.5`.
fn rms<'t>(tape: &'t Tape, elements: u64) -> Tensor<'t> {
    let _norm = tape.temporary(&[], Dtype::F32, "norm");
    tape.whole_sum_scratch(elements);
    tape.temporary(&[], Dtype::F32, "div")
}

impl<'t> Adafactor<'t> {
    /// The states of a weight, made at its first step.
    pub fn create(&mut self, tape: &'t Tape, w: &Tensor<'t>, with_rms: bool) {
        let layout = w.layout();
        let state = |shape: &[u64], name| tape.tensor(shape, Dtype::F32, Category::OptimizerStates, name);
        let moments = match factors(layout.shape()) {
            Some((rows, columns)) => {
                vec![state(&rows, "exp_avg_sq_row"), state(&columns, "exp_avg_sq_col")]
            }
            None => vec![state(layout.shape(), "exp_avg_sq")],
        };
        self.states.push(State {
            _moments: moments,
            rms: with_rms.then(|| state(&[], "RMS")),
        });
    }

    /// Updates the weight of this number, and makes its states when there are none.
    pub fn update(&mut self, tape: &'t Tape, number: usize, w: &Tensor<'t>, names: &mut Names<'t>) {
        let layout = w.layout();
        let (shape, elements) = (layout.shape(), layout.numel());
        let full = |op| tape.temporary(shape, Dtype::F32, op);
        let narrow = w.dtype() != Dtype::F32;
        names.grad = None;
        if narrow {
            names.grad = Some(full("float"));
        }
        if number == self.states.len() {
            self.create(tape, w, false);
        }
        names.weight = None;
        if narrow {
            names.weight = Some(full("float"));
        }
        let rms_of_weight = rms(tape, elements);
        rms_of_weight.set_category(Category::OptimizerStates);
        if let Some(state) = self.states.get_mut(number) {
            state.rms = Some(rms_of_weight);
        }
        let squared = {
            let _power = full("pow");
            full("add")
        };
        names.update = Some(squared);
        let update = match factors(shape) {
            Some((rows, columns)) => {
                drop(tape.temporary(&rows, Dtype::F32, "mean"));
                {
                    let _mean = tape.temporary(&columns, Dtype::F32, "mean");
                    tape.column_sum_scratch(elements / numel(&columns).max(1), numel(&columns));
                }
                // `_approx_sq_grad`
                let row_factor = {
                    let _mean = tape.temporary(&[1], Dtype::F32, "mean");
                    tape.whole_sum_scratch(numel(&rows));
                    tape.temporary(&rows, Dtype::F32, "div")
                };
                let _column_factor = tape.temporary(&columns, Dtype::F32, "rsqrt");
                let update = full("mul");
                drop(row_factor);
                update
            }
            None => full("rsqrt"),
        };
        names.update = Some(update);
        {
            let rms = rms(tape, elements);
            let _ratio = tape.temporary(&[], Dtype::F32, "div");
            drop(rms);
        }
        drop(full("neg"));
    }
}
