//! Tensors, autograd and the caching allocator: a shape-level PyTorch.
