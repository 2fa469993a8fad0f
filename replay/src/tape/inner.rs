//! What a tape holds while it records.

use super::Group;
use crate::allocator::expand::Entered;
use crate::autograd::graph::{Frame, Node};
use crate::autograd::lent::Dictionary;
use crate::autograd::repeat::Repeat;
use crate::dtype::Dtype;
use crate::kernels::fast_layer::CompiledLayer;
use crate::kernels::fast_lora::FastLora;
use crate::layout::Layout;
use crate::ops::attention::Device;
use crate::recording::{Alloc, Event, Place};
use crate::script::Script;
use crate::segment::{Fold, Order};

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub refs: u32,
    /// Index of the allocation behind it; `NONE` for a ghost (see [`Inner::stopped`]) or a tensor off the GPU.
    pub storage: u32,
    /// The node that made it; `NONE` for leaves and constants.
    pub node: u32,
    /// Leaf that collects a gradient: the gradient's tensor.
    pub grad: u32,
    /// Leaf: a gradient not yet complete (its other uses have not run backward).
    pub partial: u32,
    /// Leaf: uses whose backward has not run.
    pub uses: u32,
    /// Autocast's cached cast of this leaf.
    pub cast: u32,
    pub layout: Layout,
    pub dtype: Dtype,
    pub requires_grad: bool,
    /// Made by a view operation: it holds its base, so gradients are never summed into it in place.
    pub view: bool,
}

/// Where events go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Into a list.
    List {
        events: Vec<Event>,
        allocs: Vec<Alloc>,
        /// Where groups of layers are entered.
        entered: Vec<Entered>,
        /// The order of the groups.
        order: Order,
    },
    /// Into a peak.
    Fold(Fold),
}

/// Memory behind tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    /// Tensors that share it.
    pub sharers: u32,
    /// Its size, rounded up to 512 bytes.
    pub bytes: u64,
}

/// All state of a recording.
#[derive(Debug)]
pub(crate) struct Inner {
    pub sink: Sink,
    pub storages: Vec<Storage>,
    pub records: Vec<Record>,
    pub nodes: Vec<Node>,
    pub frames: Vec<Frame>,
    pub place: Place,
    /// Gradients are recorded (`torch.is_grad_enabled()`).
    pub grad_enabled: bool,
    /// Nodes in the graph that are recorded once and run several times.
    pub repeats: Vec<Repeat>,
    /// The frame that packs what nodes save (non-reentrant checkpointing, first forward).
    pub packing: u32,
    /// The frame whose layer is run again.
    pub recomputing: u32,
    /// The graph that is built is dropped before it is used: what it saves, for as long as it lives.
    pub dropping: Option<Vec<u32>>,
    /// Recomputation has all it needs: what follows until the layer returns is not executed.
    pub stopped: bool,
    /// The dtype that autocast computes in.
    pub autocast: Option<Dtype>,
    /// Leaves whose cast autocast has cached, and the group they were cast in.
    pub casts: Vec<(u32, Group)>,
    /// Tensors of this many elements whose last dimension is the vocabulary are logits.
    pub logits: (u64, u64),
    /// Group of layers that what is recorded belongs to, and how often it repeats.
    pub group: Group,
    /// Name of the autograd node that is running.
    pub running: Option<&'static str>,
    /// Workspaces of the matrix library: forward thread, autograd thread.
    pub workspaces: [bool; 2],
    /// Bytes of one workspace.
    pub workspace_bytes: u64,
    /// Workspaces of cuBLASLt, which computes products with a bias.
    pub lt_workspaces: [bool; 2],
    /// The card.
    pub device: Device,
    /// A checkpointed layer is being run again (either kind of checkpointing).
    pub in_recompute: bool,
    /// Tensors that reentrant checkpoints hold until the graph is dropped, by layer.
    pub kept: Vec<(u32, Vec<u32>)>,
    /// Tensors that custom functions hold on their context, until the graph is dropped, and the group they are of.
    pub held: Vec<(u32, Group)>,
    /// What layers leave to others, by forward pass.
    pub dictionaries: Vec<Dictionary>,
    /// The one that new checkpoints hold.
    pub dictionary: u32,
    /// Those that reentrant checkpoints hold until the graph is dropped.
    pub kept_dictionaries: Vec<u32>,
    /// What the layers begin with, where one of each kind stands for all.
    pub entry: u32,
    /// Have layers turned out to differ that were taken for alike?
    pub differ: bool,
    /// By how much the peak must be higher than what is only bounded.
    pub margin: u64,
    /// What all layers use, held until the backward pass is over where one layer stands for the last user as well.
    pub outlive: Vec<u32>,
    /// Calls of Unsloth's fused adapters in the graph.
    pub fused: Vec<FastLora>,
    /// Compiled layers of Unsloth in the graph.
    pub compiled: Vec<CompiledLayer>,
    /// What Inductor's tuner holds beside kernels that run for the first time; 0 where none does.
    pub tuner: u64,
    /// Is there room for copies of what kernels that are tried write over?
    pub copies: Option<bool>,
    /// The recording has ended.
    pub closed: bool,
    /// What a folding tape does, where one writes along.
    pub script: Option<Script>,
}
