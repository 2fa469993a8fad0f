//! Which decoder layers are recorded, and which layers each of them stands for.

use super::Detail;
use super::hf::hands_on_a_temporary;
use crate::model::Part;
use crate::plan::Plan;
use crate::replay::{Group, Order};
use crate::scenario::Checkpointing;

/// The layers to record, in order, each with the group of layers it stands for; and the order of the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Index of a layer, and the group it is recorded for.
    pub recorded: Vec<(u32, Group)>,
    /// The groups in the order of the model's layers.
    pub order: Order,
    /// Layers, from the first on, whose backward pass is only bounded by what is recorded for them.
    pub bounded: u32,
}

/// Layers of one kind.
struct Kind {
    kind: u32,
    /// Number of its set of parts.
    parts: usize,
    /// Has one of them been met from which on its kind is the same throughout?
    met: bool,
}

/// A recorded layer.
struct Block {
    /// Which other layers it stands for: kind, and parts of the layer before, and its kind where that matters. `None`: for
    /// none.
    like: Option<(u32, usize, Option<u32>)>,
    index: u32,
    times: u32,
    parts: usize,
}

/// Most of the last layers that are recorded each for itself: as long a pattern as models have.
const MOST_APART: u32 = 8;

/// Every layer for itself.
fn each(layers: u32) -> Blocks {
    Blocks {
        recorded: (0..layers).map(|i| (i, Group { id: i + 1, times: 1 })).collect(),
        order: (1..=layers).map(|id| (id, 1)).collect(),
        bounded: 0,
    }
}

/// Every layer for itself, and for segments as if outside of all layers: what happens is folded as it comes, in whatever
/// order the layers take turns.
fn unfolded(layers: u32, detail: Detail) -> Blocks {
    match detail {
        Detail::Segments | Detail::Kinds => Blocks {
            recorded: (0..layers).map(|i| (i, Group { id: 0, times: 1 })).collect(),
            ..Blocks::default()
        },
        Detail::Full | Detail::Ends => each(layers),
    }
}

/// The layers of a plan to record. By segments one layer of each kind stands for all of them but the first: its backward
/// is the last to use what layers of its kind share, and drops it. Inputs of the first layers may need no gradient; they
/// stand for themselves.
pub(crate) fn blocks(plan: &Plan, detail: Detail) -> Blocks {
    let layers = u32::try_from(plan.arch.layers).unwrap_or(u32::MAX);
    if detail == Detail::Full || passes_between_layers(plan) {
        return unfolded(layers, detail);
    }
    // The input of the last layer is not taken off the GPU, and the first backward pass over a compiled layer is that of the
    // last.
    let apart_at_the_end =
        plan.checkpointing == Checkpointing::Unsloth || plan.is_compiled() || detail == Detail::Ends;
    let end = u32::from(apart_at_the_end);
    if detail == Detail::Kinds {
        return match folded(plan, detail, layers, end) {
            Some((blocks, 1)) => blocks,
            _ => self::blocks(plan, Detail::Segments),
        };
    }
    // Where layers of different parts take turns, the last one follows what it does with more of the last layers apart.
    let ends = end..=end * MOST_APART;
    let mut foldings = ends.filter_map(|end| folded(plan, detail, layers, end));
    foldings
        .next()
        .map_or_else(|| unfolded(layers, detail), |(blocks, _)| blocks)
}

/// The layers to record, the last `end` of them each for itself, and the number of sets of parts; nothing where a layer would
/// not follow what it does in the model.
fn folded(plan: &Plan, detail: Detail, layers: u32, end: u32) -> Option<(Blocks, usize)> {
    let apart = u32::try_from(plan.first_layer_with_tables()).unwrap_or(0);
    let mut kinds: Vec<Kind> = Vec::new();
    let mut part_sets: Vec<Vec<Part>> = Vec::new();
    let mut recorded: Vec<Block> = Vec::new();
    let mut order = Order::new();
    let hands_on = hands_on_a_temporary(plan.optimizer);
    let (mut before, mut kind_before) = (0, None);
    let mut bounded = 0;
    for index in 0..layers {
        let number = plan.kind_of_layer(index.into());
        let at = kinds.iter().position(|k| k.kind == number).unwrap_or_else(|| {
            kinds.push(Kind {
                kind: number,
                parts: number_of(plan.arch.layer(index.into()), &mut part_sets),
                met: false,
            });
            kinds.len() - 1
        });
        let kind = &mut kinds[at];
        let new = index < apart || !std::mem::replace(&mut kind.met, index >= apart);
        let alone = (new && detail != Detail::Kinds) || index.saturating_add(end) >= layers;
        if new {
            bounded = index + 1;
        }
        let like = (!alone).then_some((number, before, kind_before));
        let parts = kind.parts;
        let block = match recorded.iter().position(|b| like.is_some() && b.like == like) {
            Some(block) => block,
            None => {
                // What lives from one layer to the next must be as large as before the layers it stands for.
                if recorded.last().is_some_and(|last| last.parts != before) {
                    return None;
                }
                recorded.push(Block {
                    like,
                    index,
                    times: 0,
                    parts,
                });
                recorded.len() - 1
            }
        };
        recorded[block].times += 1;
        let id = block as u32 + 1;
        match order.last_mut() {
            Some((last, times)) if *last == id => *times += 1,
            _ => order.push((id, 1)),
        }
        before = parts;
        kind_before = hands_on.then_some(number);
    }
    let group = |(block, id): (&Block, u32)| {
        let times = block.times;
        (block.index, Group { id, times })
    };
    let blocks = Blocks {
        recorded: recorded.iter().zip(1..).map(group).collect(),
        order,
        bounded: if detail == Detail::Kinds { bounded } else { 0 },
    };
    Some((blocks, part_sets.len()))
}

/// Do layers hand each other more than hidden states: keys and values with their gradients (or a dictionary that holds
/// them, even where none takes any), the gradient of what all layers take a part of?
fn passes_between_layers(plan: &Plan) -> bool {
    plan.arch.shared_keys.is_some() || plan.arch.per_layer.is_some()
}

/// The number of this set of parts among those met.
fn number_of(parts: Vec<Part>, sets: &mut Vec<Vec<Part>>) -> usize {
    sets.iter().position(|set| *set == parts).unwrap_or_else(|| {
        sets.push(parts);
        sets.len() - 1
    })
}
