//! Names that trainers accept, recorded with the version that they were read from.

/// The names of one list: what follows its first line, which says where they are from.
pub(super) fn of(list: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    list.lines().skip(1).filter(|name| !name.is_empty())
}

pub(super) const AXOLOTL: &str = include_str!("names/axolotl.txt");
pub(super) const LLAMA_FACTORY: &str = include_str!("names/llama_factory.txt");
pub(super) const TRAINING_ARGUMENTS: &str = include_str!("names/training_arguments.txt");
pub(super) const SFT_CONFIG: &str = include_str!("names/sft_config.txt");
pub(super) const LORA_CONFIG: &str = include_str!("names/lora_config.txt");
pub(super) const BITS_AND_BYTES: &str = include_str!("names/bits_and_bytes_config.txt");
pub(super) const FROM_PRETRAINED: &str = include_str!("names/from_pretrained.txt");
pub(super) const UNSLOTH_FROM_PRETRAINED: &str = include_str!("names/unsloth_from_pretrained.txt");
pub(super) const UNSLOTH_GET_PEFT_MODEL: &str = include_str!("names/unsloth_get_peft_model.txt");
