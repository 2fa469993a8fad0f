//! The autograd graph, its engine, checkpoints, and what every operation does in backward.

pub(crate) mod checkpoint;
pub(crate) mod engine;
pub(crate) mod entry;
pub(crate) mod grad;
pub(crate) mod graph;
pub(crate) mod lent;
pub(crate) mod repeat;
