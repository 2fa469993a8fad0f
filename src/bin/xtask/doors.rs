//! The doors of the divided programs: the functions by which their second parts are entered, by their paths.

/// Those of the page.
pub fn of_page(path: &str) -> bool {
    const OWN: [&str; 3] = [
        "plimsoll::web::components::second::panels",
        "plimsoll::web::components::second::exported",
        "plimsoll::web::jobs::answer_at_length",
    ];
    OWN.contains(&path) || of_replay(path)
}

/// Those of the JavaScript module.
pub fn of_module(path: &str) -> bool {
    ["plimsoll::module::advice", "plimsoll::module::solution"].contains(&path) || of_replay(path)
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
    const GRADIENTS: [&str; 2] = ["::uncommon_gradients", "::run_unsloth"];
    let is_gradient = |rest: &str| GRADIENTS.iter().any(|name| rest.ends_with(name));
    STACKS.contains(&path)
        || path
            .strip_prefix("plimsoll_replay::autograd::grad::")
            .is_some_and(is_gradient)
        || path
            .strip_prefix("plimsoll::stack::hf::layers::")
            .is_some_and(is_layer)
}
