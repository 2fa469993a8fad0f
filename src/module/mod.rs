//! The JavaScript module: what other programs call from a browser, from Node or through a bundler. A thin door; nothing
//! is computed here. `cargo xtask module` packs it with the few lines of JavaScript beside it.
//!
//! Scenarios come as links or as objects, results go as plain objects of the same shape as the command line's JSON.

mod control;
mod failure;
mod given;
mod view;

pub use control::{Choice, Control};
pub use failure::{Failure, Kind};
pub use view::{ShownPart, Variant, View};

use crate::advise::solve::{Sought, answers};
use crate::advise::{self, Observed};
use crate::catalog::{self, Catalog};
use crate::scenario::Scenario;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Smaller than the standard library's, and as quick.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// What every function gives: a value, or a [`Failure`] as the value that is thrown.
type Given = Result<JsValue, JsValue>;

/// Types of what is taken, beside those of what is given.
#[wasm_bindgen(typescript_custom_section)]
const INPUT: &str = include_str!("input.d.ts");

/// A plain object, as JSON would hold it.
fn plain<T: Serialize>(value: &T) -> Given {
    let plain = value.serialize(&Serializer::json_compatible());
    plain.map_err(|error| Failure::field("result", &error).thrown())
}

/// How much memory a run takes, and whether it fits.
#[wasm_bindgen(unchecked_return_type = "Estimate")]
pub fn estimate(#[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str) -> Given {
    let scenario = given::scenario(scenario)?;
    plain(&crate::estimate::estimate(&scenario).map_err(Failure::thrown_by)?)
}

/// What to do: the decision tree, what each change saves, and settings that fit.
#[wasm_bindgen(unchecked_return_type = "Advice")]
pub fn advise(
    #[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str,
    #[wasm_bindgen(js_name = "accuracyDrops", unchecked_optional_param_type = "boolean")]
    accuracy_drops: Option<bool>,
) -> Given {
    advice(scenario, accuracy_drops)
}

/// A door to the rest of the program.
#[inline(never)]
fn advice(scenario: &str, accuracy_drops: Option<bool>) -> Given {
    let scenario = given::scenario(scenario)?;
    plain(&advise::advise(&scenario, Observed { accuracy_drops }).map_err(Failure::thrown_by)?)
}

/// The longest sequence, the largest micro-batch, rank or model that fits the card, or the smallest and the cheapest card;
/// without a question everything that can be asked of this scenario.
#[wasm_bindgen(unchecked_return_type = "Answers")]
pub fn solve(
    #[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str,
    #[wasm_bindgen(unchecked_optional_param_type = "SolveQuestion")] question: Option<String>,
    #[wasm_bindgen(unchecked_optional_param_type = "string")] family: Option<String>,
) -> Given {
    solution(scenario, question.as_deref(), family.as_deref())
}

/// A door to the rest of the program.
#[inline(never)]
fn solution(scenario: &str, question: Option<&str>, family: Option<&str>) -> Given {
    let scenario = given::scenario(scenario)?;
    let sought: Vec<Sought> = match question {
        Some(question) => vec![question.parse().map_err(Failure::thrown_by)?],
        None => Vec::new(),
    };
    plain(&answers(&scenario, &sought, family).map_err(Failure::thrown_by)?)
}

/// The models that are known by name.
#[wasm_bindgen(unchecked_return_type = "ListedModel[]")]
pub fn models() -> Given {
    plain(&catalog::listed_models())
}

/// The cards that are known by name.
#[wasm_bindgen(unchecked_return_type = "ListedGpu[]")]
pub fn gpus() -> Given {
    plain(&catalog::listed_gpus())
}

/// Reads a link of the page, or the part behind its `#`. Nothing in it is thrown: what cannot be used has its
/// default and is reported. Without the rest of the module it throws where it would report something.
#[wasm_bindgen(js_name = "parseUrl", unchecked_return_type = "Parsed")]
pub fn parse_url(url: &str) -> Given {
    plain(&Scenario::from_fragment(url))
}

/// The part of a link behind its `#`; with the address of a page, a whole link.
#[wasm_bindgen(js_name = "toUrl")]
pub fn to_url(
    #[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str,
    #[wasm_bindgen(unchecked_optional_param_type = "string")] page: Option<String>,
) -> Result<String, JsValue> {
    let fragment = given::scenario(scenario)?.to_fragment();
    Ok(match page {
        Some(page) => format!("{}#{fragment}", page.split('#').next().unwrap_or_default()),
        None => fragment,
    })
}

/// An estimate in the words of a small picture of it: what the widget shows.
#[wasm_bindgen(unchecked_return_type = "View")]
pub fn view(#[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str) -> Given {
    let scenario = given::scenario(scenario)?;
    plain(&view::view(&scenario).map_err(Failure::thrown_by)?)
}

/// The scenario with each weight format that is compared.
#[wasm_bindgen(unchecked_return_type = "Variant[]")]
pub fn variants(#[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str) -> Given {
    plain(&view::variants(&given::scenario(scenario)?))
}

/// The controls of these names, separated by commas, and the names that are none.
#[wasm_bindgen(unchecked_return_type = "[Control[], FieldError[]]")]
pub fn controls(
    #[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str,
    names: &str,
) -> Given {
    plain(&control::controls(&given::scenario(scenario)?, names))
}

/// Every control there is.
#[wasm_bindgen(js_name = "allControls", unchecked_return_type = "Choice[]")]
pub fn all_controls() -> Given {
    plain(&control::all())
}

/// The link of the scenario with one control at another value.
#[wasm_bindgen]
pub fn change(
    #[wasm_bindgen(unchecked_param_type = "ScenarioInput | string")] scenario: &str,
    control: &str,
    value: &str,
) -> Result<String, JsValue> {
    let mut scenario = given::scenario(scenario)?;
    control::change(&mut scenario, control, value).map_err(Failure::thrown_by)?;
    Ok(scenario.to_fragment())
}

/// The version of this package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// Supplies a catalog: the text of its data file. One that is there already stays.
#[wasm_bindgen(js_name = "supplyCatalog")]
pub fn supply_catalog(
    #[wasm_bindgen(unchecked_param_type = "CatalogName")] name: &str,
    json: &str,
) -> Result<(), JsValue> {
    let catalog: Catalog = name
        .parse()
        .map_err(|problem: String| Failure::field("catalog", &problem).thrown())?;
    catalog::supply(catalog, json).map_err(|error| Failure::field(name, &error).thrown())
}
