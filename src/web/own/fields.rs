//! The table of the architecture's fields: each can be overridden, marked, and reset.

use super::dialog::Desk;
use super::state::{Action, text};
use crate::model::HfConfig;
use std::collections::HashSet;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The table.
#[component]
pub fn Fields(desk: &Desk) -> Html {
    let all = use_state(|| false);
    let state = &desk.state;
    let overridden = state.overridden();
    let (_, problems) = state.config();
    // A tower's fields have names of two words.
    let towers = state.base.iter().chain(&state.draft).map(|(key, _)| key.clone());
    let names = HfConfig::names()
        .filter(|name| *name != "vision_config")
        .map(str::to_owned);
    let mut keys: Vec<String> = names.chain(towers.filter(|key| key.contains('.'))).collect();
    if !*all {
        keys.retain(|key| !text(&state.base, key).is_empty() || !text(&state.draft, key).is_empty());
    }
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    let reset_all = desk.act.reform(|_: MouseEvent| Action::Reset(None));
    let toggle = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(!*all))
    };
    html! {
        <details class="overrides" data-testid="own-fields">
            <summary>{match overridden.len() {
                0 => "Every field of the architecture".to_owned(),
                n => format!("Every field of the architecture: {n} changed"),
            }}</summary>
            <p class="buttons">
                <button type="button" class="tool" onclick={toggle} data-testid="own-all-fields">{if *all { "Only those that are set" } else { "All fields" }}</button>
                <button type="button" class="tool" onclick={reset_all} disabled={overridden.is_empty()} data-testid="own-reset-all">{"Reset all"}</button>
            </p>
            <table>
                <thead><tr><th scope="col">{"field"}</th><th scope="col">{"value"}</th><th scope="col"><span class="unseen">{"reset"}</span></th></tr></thead>
                <tbody>{for keys.iter().map(|key| {
                    let wanted = format!("model.{key}");
                    let problem = problems.iter().find(|problem| problem.field == wanted);
                    row(desk, key, problem.map(|problem| problem.problem.as_str()))
                })}</tbody>
            </table>
        </details>
    }
}

fn row(desk: &Desk, key: &str, problem: Option<&str>) -> Html {
    let changed = desk.state.is_overridden(key);
    let onchange = {
        let key = key.to_owned();
        desk.act.reform(move |event: Event| {
            let field: Option<HtmlInputElement> = event.target_dyn_into();
            Action::Edit(key.clone(), field.map(|field| field.value()).unwrap_or_default())
        })
    };
    let reset = {
        let key = key.to_owned();
        desk.act
            .reform(move |_: MouseEvent| Action::Reset(Some(key.clone())))
    };
    let id = format!("own-field-{key}");
    html! {
        <tr key={key.to_owned()} class={changed.then_some("changed")}>
            <th scope="row"><label for={id.clone()}>{key.to_owned()}</label></th>
            <td>
                <input {id} type="text" value={text(&desk.state.draft, key).to_owned()} {onchange} spellcheck="false" autocomplete="off"
                    aria-invalid={problem.map(|_| "true")} />
                if let Some(problem) = problem {
                    <p class="problem">{problem.to_owned()}</p>
                }
            </td>
            <td>
                if changed {
                    <button type="button" class="tool" onclick={reset} aria-label={format!("Reset {key}")}>{"Reset"}</button>
                }
            </td>
        </tr>
    }
}
