//! Tensor operations, named and behaving as in PyTorch.

pub(crate) mod attention;
pub(crate) mod binary;
pub(crate) mod clamp;
pub(crate) mod complex;
pub(crate) mod convolution;
pub(crate) mod efficient;
pub(crate) mod embedding;
pub(crate) mod fill;
pub(crate) mod grouped_mm;
pub(crate) mod index;
pub(crate) mod layer_norm;
pub(crate) mod loss;
pub(crate) mod normalize;
pub(crate) mod piecewise;
pub(crate) mod products;
pub(crate) mod reduce;
pub(crate) mod scan;
pub(crate) mod sort;
pub(crate) mod split;
pub(crate) mod streams;
pub(crate) mod unary;
pub(crate) mod views;
