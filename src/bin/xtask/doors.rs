//! The doors of the divided programs: the functions by which their second parts are entered, by their paths.

/// Those of the page.
pub fn of_page(path: &str) -> bool {
    const OWN: [&str; 3] = [
        "plimsoll::web::components::second::panels",
        "plimsoll::web::components::second::exported",
        "plimsoll::web::jobs::answer_at_length",
    ];
    OWN.contains(&path) || of_replay(&plain(path))
}

/// Those of the JavaScript module. It may come to one before the rest is here: it stops there, and `index.js` begins anew
/// and says that the rest is needed. So whatever most pages do without can be a door.
pub fn of_module(path: &str) -> bool {
    let path = plain(path);
    let is_it = |door: &&str| match (door.strip_suffix('*'), door.ends_with("::")) {
        (Some(start), _) => path.starts_with(start),
        (None, true) => path.starts_with(*door),
        (None, false) => path == *door,
    };
    MODULE.iter().any(is_it) || of_replay(&path)
}

/// The module's doors beside those of [`of_replay`]: modules (`::` at the end), functions by how their names begin (`*`),
/// and functions.
const MODULE: &[&str] = &[
    "plimsoll::module::advice",
    "plimsoll::module::solution",
    // Kernels and operations that Llama's kin run without.
    "plimsoll_replay::autograd::grad::rare_gradients",
    "plimsoll_replay::kernels::float8::",
    "plimsoll_replay::kernels::liger::",
    "plimsoll_replay::kernels::low_rank::",
    "plimsoll_replay::ops::clamp::",
    "plimsoll_replay::ops::complex::",
    "plimsoll_replay::ops::efficient::",
    "plimsoll_replay::ops::layer_norm::",
    "plimsoll_replay::ops::normalize::",
    "plimsoll_replay::ops::piecewise::",
    "plimsoll_replay::ops::streams::",
    // The allocator's expandable segments.
    "plimsoll_replay::allocator::expandable::",
    // Settings that few runs have.
    "plimsoll::plan::float8::",
    "plimsoll::plan::lengths::",
    "plimsoll::plan::release::",
    "plimsoll::plan::sdpa::flash_package",
    "plimsoll::stack::hf::adafactor::",
    "plimsoll::stack::hf::attention::additive_mask",
    "plimsoll::stack::hf::attention::sdpa_of_4_48",
    "plimsoll::stack::hf::biases::may_raise_the_first_step",
    "plimsoll::stack::hf::cache::",
    "plimsoll::stack::hf::dora::",
    "plimsoll::stack::hf::linear::Linear::float8_forward",
    "plimsoll::stack::hf::loss::liger_loss",
    "plimsoll::stack::hf::loss::shifted_loss",
    "plimsoll::stack::hf::mask::allowed_keys",
    "plimsoll::stack::hf::mask::left_padding",
    "plimsoll::stack::hf::optimizer::States::step_of_adafactor",
    "plimsoll::stack::hf::prepare::save_modules",
    "plimsoll::stack::hf::quantize::experts",
    "plimsoll::stack::hf::quantize::stored",
    "plimsoll::stack::hf::step::train_with_loop",
    // Unsloth's decisions.
    "plimsoll::estimate::notes::unsloth",
    "plimsoll::plan::unsloth::",
    "plimsoll::plan::weights::dynamic",
    "plimsoll::plan::weights::unsloth",
    "plimsoll::plan::weights::without_bf16",
    "plimsoll::stack::unsloth::",
    // Other families than Llama's.
    "plimsoll::model::architecture::Own::of",
    "plimsoll::model::layer::layer_of_others",
    "plimsoll::plan::refusals::convolution_of",
    "plimsoll::stack::blocks::unfolded",
    "plimsoll::stack::hf::forward::per_layer_inputs",
    "plimsoll::stack::hf::mask::recurrent_mask",
    "plimsoll::stack::hf::model::load::load_buffers*",
    "plimsoll::stack::hf::norm::other_norm",
    "plimsoll::stack::hf::rotary::complex_table",
    "plimsoll::stack::hf::rotary::section_tables",
    "plimsoll::stack::hf::streams::",
    // A model of one's own.
    "plimsoll::model::config::HfConfig::clone",
    "plimsoll::model::config::HfConfig::read",
    "plimsoll::model::config::HfConfig::serialize",
    "plimsoll::plan::own::",
    "plimsoll::scenario::config_problems::",
    "plimsoll::scenario::inline::",
    "plimsoll::scenario::model_ref::completed",
    "plimsoll::scenario::url::Reader::inline",
    // What is said of scenarios that cannot be used.
    "plimsoll::catalog::models::nearest_models",
    "plimsoll::catalog::nearest::best",
    "plimsoll::catalog::nearest::nearest*",
    "plimsoll::catalog::nearest::words",
    "plimsoll::model::architecture::unknown_activation",
    "plimsoll::model::config_value::unexpected",
    "plimsoll::plan::refusal",
    "plimsoll::plan::unknown_model",
    "plimsoll::scenario::lora_problems::odd_*",
    "plimsoll::scenario::lora_problems::unknown_names",
    "plimsoll::scenario::number::any_*",
    "plimsoll::scenario::validate::odd_*",
    "plimsoll::scenario::validate::too_large",
    "plimsoll::scenario::validate::unknown_*",
];

/// A path without what it says of `impl`: `a::<impl b::C>::d` is `a::d`, `<a::B as c::D>::e` is `a::B::e`.
fn plain(path: &str) -> String {
    if let Some((of, (_, name))) = path
        .strip_prefix('<')
        .and_then(|path| path.split_once(" as "))
        .and_then(|(of, rest)| Some((of, rest.rsplit_once(">::")?)))
    {
        return format!("{of}::{name}");
    }
    match path
        .split_once("<impl ")
        .and_then(|(of, rest)| Some((of, rest.split_once(">::")?)))
    {
        Some((of, (_, name))) => format!("{of}{name}"),
        None => path.to_owned(),
    }
}

/// Other stacks and families than the common ones.
fn of_replay(path: &str) -> bool {
    const STACKS: [&str; 2] = [
        "plimsoll::stack::unsloth::run",
        "plimsoll::stack::unsloth::peak_of_tables",
    ];
    // The layers of all families but those that `has_common_layers` names.
    let is_layer = |rest: &str| {
        let (family, layer) = rest.split_once("::").unwrap_or_default();
        family != "llama" && matches!(layer, "layer" | "layer4")
    };
    // What their operations do in backward.
    let is_gradient = |rest: &str| matches!(rest, "uncommon_gradients" | "run_unsloth");
    STACKS.contains(&path)
        || path
            .strip_prefix("plimsoll_replay::autograd::grad::")
            .is_some_and(is_gradient)
        || path
            .strip_prefix("plimsoll::stack::hf::layers::")
            .is_some_and(is_layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_without_their_impl() {
        assert_eq!(plain("a::<impl b::C>::d"), "a::d");
        assert_eq!(plain("<a::B as c::D<e::F>>::g"), "a::B::g");
        assert_eq!(plain("a::b::{{closure}}"), "a::b::{{closure}}");
        assert!(of_module(
            "plimsoll::stack::hf::loss::<impl plimsoll::stack::hf::model::Model>::liger_loss"
        ));
        assert!(!of_module("plimsoll::plan::refusals::layers"));
        assert!(!of_module(
            "core::ptr::drop_in_place<plimsoll::stack::hf::cache::Cache>"
        ));
    }

    #[test]
    fn the_page_has_no_door_that_a_common_run_may_come_to() {
        let gradients = |name| {
            format!("plimsoll_replay::autograd::grad::<impl plimsoll_replay::tape::inner::Inner>::{name}")
        };
        assert!(of_page(&gradients("uncommon_gradients")));
        assert!(!of_page(&gradients("rare_gradients")));
    }
}
