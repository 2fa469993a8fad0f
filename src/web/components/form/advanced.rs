//! The settings that most people leave alone, folded away.

use super::setting::{Radios, Select};
use super::switches::Switches;
use super::text::Text;
use crate::scenario::Method;
use crate::web::components::desk::Desk;
use crate::web::state::{Field, Setting, Switch};
use yew::prelude::*;

const ALWAYS: &[Switch] = &[
    Switch::Clip,
    Switch::Padding,
    Switch::Liger,
    Switch::UseCache,
    Switch::KeepOutputs,
    Switch::ExpandableSegments,
];

/// The settings that most people leave alone.
#[component]
pub fn Advanced(desk: &Desk) -> Html {
    let desk = desk.clone();
    let method = desk.state.scenario.method;
    html! {
        <details class="advanced">
            <summary>{"Advanced"}</summary>
            <Radios desk={desk.clone()} setting={Setting::Harness} label="Training loop" />
            <Select desk={desk.clone()} setting={Setting::SdpaBackend} label="SDPA kernel" />
            <Radios desk={desk.clone()} setting={Setting::Float8} label="Float8 products" />
            if method != Method::Full {
                <Radios desk={desk.clone()} setting={Setting::AdapterDtype} label="Adapter dtype" />
                <Text desk={desk.clone()} field={Field::ModulesToSave} label="Modules trained whole"
                    placeholder="none" note="a trained copy of each, with gradients and states" />
                <Switches desk={desk.clone()} switches={&[Switch::Dora] as &[_]} />
            }
            if method == Method::Qlora {
                <Switches desk={desk.clone()} switches={&[Switch::PrepareKbit] as &[_]} />
            }
            <Switches {desk} switches={ALWAYS} />
        </details>
    }
}
