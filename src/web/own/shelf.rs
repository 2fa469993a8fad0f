//! Models that are kept in this browser.

use super::dialog::{Desk, on_the_page};
use super::state::{Action, State};
use crate::scenario::Scenario;
use gloo::utils::window;
use std::collections::BTreeMap;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// What the shelf shows.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The panel's.
    pub desk: Desk,
    /// Names and fragments.
    pub models: BTreeMap<String, String>,
    /// Keeps others.
    pub keep: Callback<BTreeMap<String, String>>,
}

/// The model with the storage of its weights, in an ordinary run.
fn fragment(state: &State) -> Option<String> {
    Some(state.in_run(&Scenario::default())?.to_fragment())
}

/// The list, and the field to keep the present model.
#[component]
pub fn Shelf(props: &Props) -> Html {
    let name = use_node_ref();
    let own = fragment(&props.desk.state);
    let onsubmit = {
        let (props, name, own) = (props.clone(), name.clone(), own.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let name = name
                .cast::<HtmlInputElement>()
                .map(|field| field.value().trim().to_owned())
                .unwrap_or_default();
            if let (Some(own), false) = (own.clone(), name.is_empty()) {
                let mut models = props.models.clone();
                models.insert(name, own);
                props.keep.emit(models);
            }
        })
    };
    html! {
        <section class="kept">
            <h3>{"Kept in this browser"}</h3>
            <form class="buttons" {onsubmit}>
                <label class="unseen" for="own-name">{"Name"}</label>
                <input id="own-name" ref={name} type="text" placeholder="a name for it" maxlength="80" autocomplete="off" data-testid="own-name" />
                <button type="submit" class="tool" disabled={own.is_none()} data-testid="own-keep">{"Keep"}</button>
            </form>
            if props.models.is_empty() {
                <p class="note">{"None yet."}</p>
            }
            <ul data-testid="own-kept">{for props.models.iter().map(|(name, fragment)| entry(props, name, fragment))}</ul>
        </section>
    }
}

fn entry(props: &Props, name: &str, fragment: &str) -> Html {
    let open = {
        let (act, fragment) = (props.desk.act.clone(), fragment.to_owned());
        Callback::from(move |_: MouseEvent| {
            let kept = Scenario::from_fragment(&fragment).scenario;
            let mut run = on_the_page();
            if kept.weights.suits(run.method) && kept.weights == Scenario::default().weights {
                run.skip_modules.clear();
            } else {
                run.set_weights(kept.weights);
            }
            run.skip_modules.clone_from(&kept.skip_modules);
            run.model = kept.model;
            let _ = window().location().set_hash(&run.to_fragment());
            act.emit(Action::Open(Box::new(run)));
        })
    };
    let remove = {
        let (props, name) = (props.clone(), name.to_owned());
        Callback::from(move |_: MouseEvent| {
            let mut models = props.models.clone();
            models.remove(&name);
            props.keep.emit(models);
        })
    };
    html! {
        <li key={name.to_owned()} class="buttons">
            <button type="button" class="tool" onclick={open}>{name.to_owned()}</button>
            <button type="button" class="tool" onclick={remove} aria-label={format!("Remove {name}")}>{"Remove"}</button>
        </li>
    }
}
