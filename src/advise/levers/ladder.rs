//! The changes that can make a run smaller, as data: each a ladder of rungs, from the gentlest to the strongest.

use super::Cost;
use super::rungs as r;
use crate::scenario::Scenario;

/// One thing that can be changed. Of its rungs a run takes at most one.
pub(super) struct Ladder {
    /// Stable name, such as `batch`.
    pub id: &'static str,
    /// What one does, in a few words.
    pub label: &'static str,
    /// What it costs.
    pub cost: Cost,
    /// What else it does, to speed and quality.
    pub side_effect: &'static str,
    /// Why it helps, and whose word that is.
    pub why: &'static str,
    /// The rungs that this run can still take, from the gentlest to the strongest; none where there is nothing to change.
    pub rungs: fn(&Scenario) -> Vec<Scenario>,
}

/// Every ladder, in the order in which changes are applied: those that decide the defaults of others first.
pub(super) const LADDERS: &[Ladder] = &[
    Ladder {
        id: "method",
        label: "train adapters instead of all weights",
        cost: Cost::Task,
        side_effect: "adapters learn less than full fine-tuning where the task is far from what the model knows; as good where it is near",
        why: "gradients and optimizer states are kept for trained weights only (LoRA, arXiv 2106.09685)",
        rungs: r::method,
    },
    Ladder {
        id: "stack",
        label: "train with Unsloth",
        cost: Cost::Software,
        side_effect: "usually faster; other patches of the model, fewer architectures",
        why: "fused kernels keep less for backward, the loss never holds all logits, layer inputs wait in host memory (unsloth models/llama.py, unsloth_zoo fused_losses)",
        rungs: r::stack,
    },
    Ladder {
        id: "weights-16bit",
        label: "load the base in 16 bit",
        cost: Cost::Free,
        side_effect: "the usual precision of training; optimizer and master weights keep their own",
        why: "2 bytes a weight instead of 4",
        rungs: r::weights_16bit,
    },
    Ladder {
        id: "weights-8bit",
        label: "load the base in 8 bit",
        cost: Cost::Quality,
        side_effect: "slightly less exact weights; each product dequantizes its weight first",
        why: "1 byte a weight of the linear layers instead of 2; embeddings, norms and head stay at 16 bit",
        rungs: r::weights_8bit,
    },
    Ladder {
        id: "weights-4bit",
        label: "load the base in 4 bit",
        cost: Cost::Quality,
        side_effect: "less exact weights, most felt by small models; each product dequantizes its weight first",
        why: "0.516 bytes a weight of the linear layers instead of 2; embeddings, norms and head stay at 16 bit (QLoRA, arXiv 2305.14314)",
        rungs: r::weights_4bit,
    },
    Ladder {
        id: "double-quant",
        label: "quantize the scales too",
        cost: Cost::Free,
        side_effect: "no loss of quality was measured (QLoRA, arXiv 2305.14314, section 3)",
        why: "0.516 bytes a weight instead of 0.5625 (bnb_4bit_use_double_quant, off by default in transformers)",
        rungs: r::double_quant,
    },
    Ladder {
        id: "optimizer",
        label: "smaller optimizer states",
        cost: Cost::Free,
        side_effect: "8-bit states train as well as 32-bit ones (arXiv 2110.02861)",
        why: "2.03 bytes a trained weight instead of 8; embeddings keep 32-bit states (bitsandbytes optim/optimizer.py)",
        rungs: r::optimizer_8bit,
    },
    Ladder {
        id: "optimizer-fused",
        label: "an optimizer step without temporaries",
        cost: Cost::Free,
        side_effect: "faster steps",
        why: "the foreach step builds a list of temporaries as large as one state (torch optim/adamw.py)",
        rungs: r::optimizer_fused,
    },
    Ladder {
        id: "optimizer-paged",
        label: "optimizer states that can leave the GPU",
        cost: Cost::Time,
        side_effect: "steps wait for pages when memory is short; none while there is room",
        why: "states lie in managed memory, outside the allocator (bitsandbytes get_state_buffer)",
        rungs: r::optimizer_paged,
    },
    Ladder {
        id: "prepare-kbit",
        label: "leave norms, embeddings and head at 16 bit",
        cost: Cost::Free,
        side_effect: "as TRL and Unsloth train; norms compute in fp32 all the same",
        why: "prepare_model_for_kbit_training makes every weight that is not quantized fp32 (peft utils/other.py), and the residual stream with them",
        rungs: r::prepare_kbit,
    },
    Ladder {
        id: "checkpointing",
        label: "gradient checkpointing",
        cost: Cost::Time,
        side_effect: "about a fifth to a third slower: each layer runs forward twice",
        why: "each layer keeps only its input, one layer at a time is run again (torch utils/checkpoint.py)",
        rungs: r::checkpointing,
    },
    Ladder {
        id: "attention",
        label: "fused attention",
        cost: Cost::Free,
        side_effect: "faster",
        why: "no sequence x sequence probabilities are kept (torch scaled_dot_product_attention)",
        rungs: r::attention,
    },
    Ladder {
        id: "liger",
        label: "Liger kernels",
        cost: Cost::Free,
        side_effect: "usually faster; needs Triton",
        why: "the loss is computed chunk by chunk, without all logits; norms and MLP keep less (liger-kernel ops)",
        rungs: r::liger,
    },
    Ladder {
        id: "padding",
        label: "batches without padding",
        cost: Cost::Free,
        side_effect: "faster; sequences must be packed or equally long",
        why: "a padding mask bars the flash kernel, repeats keys and values for every head and stores a mask of sequence x sequence",
        rungs: r::padding,
    },
    Ladder {
        id: "outputs",
        label: "drop the outputs before backward",
        cost: Cost::Free,
        side_effect: "one line of the training loop",
        why: "the model's output object holds the logits while backward runs",
        rungs: r::outputs,
    },
    Ladder {
        id: "use-cache",
        label: "no key-value cache while training",
        cost: Cost::Free,
        side_effect: "none: the cache is of use in generation only",
        why: "config.use_cache keeps keys and values of every layer",
        rungs: r::use_cache,
    },
    Ladder {
        id: "expandable-segments",
        label: "expandable segments",
        cost: Cost::Free,
        side_effect: "none known on Linux",
        why: "PYTORCH_ALLOC_CONF=expandable_segments:True lets freed memory be used for any size (c10 CUDACachingAllocator.cpp)",
        rungs: r::expandable_segments,
    },
    Ladder {
        id: "batch",
        label: "smaller micro-batches, more accumulation",
        cost: Cost::Time,
        side_effect: "the same gradients; a large GPU is used less well",
        why: "everything that grows with tokens shrinks with the micro-batch; gradients are summed over more of them",
        rungs: r::batch,
    },
    Ladder {
        id: "adapter-dtype",
        label: "adapters in the dtype of the base",
        cost: Cost::Quality,
        side_effect: "small updates can be lost in bf16",
        why: "2 bytes an adapter weight and gradient instead of 4 (PEFT autocast_adapter_dtype=False)",
        rungs: r::adapter_dtype,
    },
    Ladder {
        id: "dropout",
        label: "no dropout before adapters",
        cost: Cost::Quality,
        side_effect: "faster; may overfit sooner on little data",
        why: "each adapted layer keeps a dropped copy of its input and a mask",
        rungs: r::dropout,
    },
    Ladder {
        id: "dora",
        label: "plain LoRA instead of DoRA",
        cost: Cost::Quality,
        side_effect: "faster; a little less quality at low ranks",
        why: "DoRA materialises the whole adapted weight to take its norms (peft tuners/lora/dora.py)",
        rungs: r::dora,
    },
    Ladder {
        id: "modules-to-save",
        label: "train no whole embeddings or head",
        cost: Cost::Quality,
        side_effect: "new tokens are not learned",
        why: "a trained copy, its gradient and its states, each of vocabulary x width",
        rungs: r::modules_to_save,
    },
    Ladder {
        id: "rank",
        label: "a lower rank",
        cost: Cost::Quality,
        side_effect: "adapters can learn less; faster",
        why: "weights, gradients and states of adapters are proportional to the rank",
        rungs: r::rank,
    },
    Ladder {
        id: "seq",
        label: "shorter sequences",
        cost: Cost::Task,
        side_effect: "longer examples are cut off",
        why: "everything that grows with tokens shrinks",
        rungs: r::seq,
    },
];
