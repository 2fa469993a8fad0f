//! The settings that most people leave alone, folded away.

use super::setting::{radios, select};
use super::switch::switch;
use super::text::text;
use crate::scenario::{Method, Stack};
use crate::web::components::desk::Desk;
use crate::web::state::{Field, Setting, Switch};
use yew::prelude::*;

const ALWAYS: [Switch; 6] = [
    Switch::Clip,
    Switch::Padding,
    Switch::Liger,
    Switch::UseCache,
    Switch::KeepOutputs,
    Switch::ExpandableSegments,
];

/// The settings that most people leave alone.
pub fn advanced(desk: &Desk) -> Html {
    let scenario = &desk.state.scenario;
    let method = scenario.method;
    html! {
        <details class="advanced">
            <summary>{"Advanced"}</summary>
            if scenario.stack == Stack::Unsloth {
                {radios(desk, Setting::Loader, "Loaded by")}
                {select(desk, Setting::Release, "Release of Unsloth")}
                {radios(desk, Setting::Objective, "Learned from")}
                {select(desk, Setting::Qat, "Quantization-aware training")}
                {text(desk, Field::Packing, "Packing", "documents packed into each sequence; 1: none")}
                {switch(desk, Switch::PaddingFree)}
            }
            if scenario.stack == Stack::Hf {
                {radios(desk, Setting::Transformers, "Release")}
            }
            if scenario.weights.is_quantized() {
                {radios(desk, Setting::Dtype, "Dtype beside quantized weights")}
            }
            {radios(desk, Setting::Harness, "Training loop")}
            {select(desk, Setting::SdpaBackend, "SDPA kernel")}
            {radios(desk, Setting::Float8, "Float8 products")}
            // A card brings its own; one that contradicts it can be taken away here.
            if scenario.gpu.is_none() || scenario.compute_capability.is_some() {
                {text(desk, Field::ComputeCapability, "Compute capability",
                    "such as 8.9, when no card is named: chooses kernels and workspaces")}
            }
            if method != Method::Full {
                {radios(desk, Setting::AdapterDtype, "Adapter dtype")}
                {text(desk, Field::ModulesToSave, "Modules trained whole",
                    "names such as lm_head: a trained copy of each, with gradients and states")}
                {switch(desk, Switch::Dora)}
            }
            if method == Method::Qlora {
                {switch(desk, Switch::PrepareKbit)}
            }
            {for ALWAYS.map(|each| switch(desk, each))}
        </details>
    }
}
