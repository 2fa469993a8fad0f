//! The scenario form: every control says in a line what it does to memory.

mod advanced;
mod length;
mod number;
mod setting;
mod slot;
mod step;
mod switches;
mod targets;
mod text;

use super::desk::Desk;
use crate::scenario::{Method, Scenario};
use crate::web::state::{Field, Setting};
use crate::web::words::count;
use advanced::Advanced;
use length::Length;
use number::Number;
use setting::{Radios, Select};
use step::Step;
use targets::TargetsField;
use text::Text;
use yew::prelude::*;

/// The form.
#[component]
pub fn ScenarioForm(desk: &Desk) -> Html {
    let desk = desk.clone();
    let scenario = &desk.state.scenario;
    let onsubmit = Callback::from(|event: SubmitEvent| event.prevent_default());
    html! {
        <form class="panel scenario" aria-label="Scenario" {onsubmit}>
            <section aria-label="Method">
                <Radios desk={desk.clone()} setting={Setting::Stack} label="Stack" />
                <Radios desk={desk.clone()} setting={Setting::Method} label="Method" />
                <Select desk={desk.clone()} setting={Setting::Weights} label="Base weights" />
                if scenario.method != Method::Full {
                    <div class="pair">
                        <Number desk={desk.clone()} field={Field::Rank} label="LoRA rank" value={scenario.lora.rank}
                            step={Step::Double} testid="rank" note="rank × (in + out) weights a layer" />
                        <Text desk={desk.clone()} field={Field::Dropout} label="LoRA dropout"
                            note="above 0: kept masks and copies" />
                    </div>
                    <TargetsField ..desk.clone() />
                }
            </section>
            <section aria-label="Batch">
                <Length ..desk.clone() />
                <div class="pair">
                    <Number desk={desk.clone()} field={Field::Batch} label="Micro-batch" value={scenario.batch}
                        step={Step::One} testid="batch" note="sequences at once" />
                    <Number desk={desk.clone()} field={Field::GradAccum} label="Accumulation"
                        value={scenario.grad_accum} step={Step::One} testid="grad-accum" note={effective(scenario)} />
                </div>
            </section>
            <section aria-label="Training">
                <Select desk={desk.clone()} setting={Setting::Optimizer} label="Optimizer" />
                <Select desk={desk.clone()} setting={Setting::Checkpointing} label="Gradient checkpointing" />
                <Radios desk={desk.clone()} setting={Setting::Attention} label="Attention" />
                <Radios desk={desk.clone()} setting={Setting::Autocast} label="Autocast" />
            </section>
            <Advanced ..desk />
        </form>
    }
}

/// What one optimizer step sees.
fn effective(scenario: &Scenario) -> String {
    match scenario.batch.checked_mul(scenario.grad_accum) {
        Some(batch) => format!("effective batch {}", count(batch)),
        None => "micro-batches per optimizer step".into(),
    }
}
