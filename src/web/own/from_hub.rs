//! A model by its id on the Hub.

use super::dialog::Desk;
use super::hub::{ENDPOINT, Hub};
use super::state::{Action, known};
use super::walk::{Source, give_up, walk};
use crate::checkpoint::Visit;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

fn text(field: &NodeRef) -> String {
    field
        .cast::<HtmlInputElement>()
        .map(|field| field.value().trim().to_owned())
        .unwrap_or_default()
}

/// Is this an id: an owner and a name?
fn is_id(id: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    id.split_once('/')
        .is_some_and(|(owner, name)| word(owner) && word(name) && !owner.starts_with('.'))
}

/// The form.
#[component]
pub fn FromHub(desk: &Desk) -> Html {
    let (id, token, endpoint) = (use_node_ref(), use_node_ref(), use_node_ref());
    let onsubmit = {
        let (id, token, endpoint) = (id.clone(), token.clone(), endpoint.clone());
        let act = desk.act.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let id = text(&id);
            if !is_id(&id) {
                return act.emit(Action::Failed("give an id such as owner/name".into()));
            }
            let hub = Hub {
                endpoint: Some(text(&endpoint))
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| ENDPOINT.into()),
                id: id.clone(),
                token: text(&token),
            };
            spawn_local(walk(Visit::of_repository(&id), Source::Hub(hub), act.clone()));
        })
    };
    let cancel = {
        let act = desk.act.clone();
        Callback::from(move |_: MouseEvent| {
            give_up();
            act.emit(Action::Cancelled);
        })
    };
    // The base of an adapter, where it is to be read yet.
    let wanted = desk.state.adapter.as_ref().map(|adapter| adapter.base.clone());
    let wanted = wanted.filter(|base| is_id(base) && known(base).is_none());
    html! {
        <form class="way" {onsubmit}>
            <h3>{"From the Hub"}</h3>
            <div class="field">
                <label for="own-id">{"Hub id"}</label>
                <input id="own-id" ref={id} type="text" value={wanted} placeholder="owner/name" spellcheck="false" autocomplete="off" data-testid="own-id" />
            </div>
            <details>
                <summary>{"Gated or elsewhere"}</summary>
                <div class="field">
                    <label for="own-token">{"Token (stays in memory)"}</label>
                    <input id="own-token" ref={token} type="password" autocomplete="off" data-testid="own-token" />
                </div>
                <div class="field">
                    <label for="own-endpoint">{"Address of the Hub"}</label>
                    <input id="own-endpoint" ref={endpoint} type="text" placeholder={ENDPOINT} spellcheck="false" data-testid="own-endpoint" />
                </div>
            </details>
            <p class="buttons">
                <button type="submit" class="tool" data-testid="own-read">{"Read"}</button>
                if let Some((done, all)) = desk.state.busy {
                    <progress max={all.max(1).to_string()} value={done.to_string()} aria-label="Reading" />
                    <button type="button" class="tool" onclick={cancel} data-testid="own-cancel">{"Cancel"}</button>
                }
            </p>
            <p class="note" role="status" data-testid="own-progress">
                {desk.state.busy.map(|(done, all)| format!("{done} of {all} files and pieces read"))}
            </p>
        </form>
    }
}
