//! The scenario form: every control says in a line what it does to memory.

mod advanced;
mod length;
mod number;
mod preset;
mod setting;
mod slot;
mod step;
mod switch;
mod targets;
mod text;

use super::desk::Desk;
use super::machine::machine;
use crate::scenario::{Method, Scenario};
use crate::web::state::{Field, Setting};
use crate::words::count;
use advanced::advanced;
use length::length;
use number::{Number, number};
use preset::presets_list;
use setting::{radios, select};
use step::Step;
use targets::targets;
use text::text;
use yew::prelude::*;

/// The form.
pub fn scenario_form(desk: &Desk) -> Html {
    let scenario = &desk.state.scenario;
    let onsubmit = Callback::from(|event: SubmitEvent| event.prevent_default());
    html! {
        <form class="panel scenario" aria-label="Scenario" {onsubmit}>
            <section aria-label="Method">
                {presets_list(desk)}
                {radios(desk, Setting::Stack, "Stack")}
                {radios(desk, Setting::Method, "Method")}
                {select(desk, Setting::Weights, "Base weights")}
                if scenario.method != Method::Full {
                    {adapters(desk)}
                }
            </section>
            <section aria-label="Batch">
                {length(desk)}
                {batch(desk)}
            </section>
            <section aria-label="Training">
                {select(desk, Setting::Optimizer, "Optimizer")}
                {select(desk, Setting::Checkpointing, "Gradient checkpointing")}
                {radios(desk, Setting::Attention, "Attention")}
                {radios(desk, Setting::Autocast, "Autocast")}
            </section>
            {advanced(desk)}
            {machine(desk)}
        </form>
    }
}

fn adapters(desk: &Desk) -> Html {
    let rank = Number {
        field: Field::Rank,
        label: "LoRA rank",
        note: "rank × (in + out) weights a layer".into(),
        value: desk.state.scenario.lora.rank,
        step: Step::Double,
        testid: "rank",
    };
    html! {
        <>
            <div class="pair">
                {number(desk, rank, Html::default())}
                {text(desk, Field::Dropout, "LoRA dropout", "above 0: kept masks and copies")}
            </div>
            {targets(desk)}
        </>
    }
}

fn batch(desk: &Desk) -> Html {
    let scenario = &desk.state.scenario;
    let micro = Number {
        field: Field::Batch,
        label: "Micro-batch",
        note: "sequences at once".into(),
        value: scenario.batch,
        step: Step::One,
        testid: "batch",
    };
    let accumulation = Number {
        field: Field::GradAccum,
        label: "Accumulation",
        note: effective(scenario).into(),
        value: scenario.grad_accum,
        step: Step::One,
        testid: "grad-accum",
    };
    html! {
        <div class="pair">
            {number(desk, micro, Html::default())}
            {number(desk, accumulation, Html::default())}
        </div>
    }
}

/// What one optimizer step sees.
fn effective(scenario: &Scenario) -> String {
    match scenario.batch.checked_mul(scenario.grad_accum) {
        Some(batch) => format!("effective batch {}", count(batch)),
        None => "micro-batches per optimizer step".into(),
    }
}
