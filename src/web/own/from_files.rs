//! A model by its files: dropped, chosen, or pasted.

use super::dialog::Desk;
use super::files::Files;
use super::state::Action;
use super::walk::{Source, walk};
use crate::checkpoint::Visit;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

fn read(files: Files, act: &Callback<Action>) {
    match Visit::of_files(&files.label(), &files.names()) {
        Ok(visit) => spawn_local(walk(visit, Source::Files(files), act.clone())),
        // A folder that is dropped looks like a file without an ending.
        Err(_) if files.names().iter().any(|name| !name.contains('.')) => {
            act.emit(Action::Failed(
                "a folder cannot be dropped: choose it with its button".into(),
            ));
        }
        Err(problem) => act.emit(Action::Failed(problem.to_string())),
    }
}

/// The place to drop files on, the button to choose them, and the field to paste a configuration into.
#[component]
pub fn FromFiles(desk: &Desk) -> Html {
    let over = use_state(|| false);
    let hover = |value: bool| {
        let over = over.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            over.set(value);
        })
    };
    let ondrop = {
        let (over, act) = (over.clone(), desk.act.clone());
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            over.set(false);
            if let Some(list) = event.data_transfer().and_then(|data| data.files()) {
                read(Files::listed(&list), &act);
            }
        })
    };
    let onchange = {
        let act = desk.act.clone();
        Callback::from(move |event: Event| {
            let field: Option<HtmlInputElement> = event.target_dyn_into();
            if let Some(list) = field
                .and_then(|field| field.files())
                .filter(|list| list.length() > 0)
            {
                read(Files::listed(&list), &act);
            }
        })
    };
    let onpaste = {
        let act = desk.act.clone();
        Callback::from(move |event: InputEvent| {
            let field: Option<HtmlTextAreaElement> = event.target_dyn_into();
            let text = field.map(|field| field.value()).unwrap_or_default();
            if !text.trim().is_empty() {
                read(Files::pasted(text), &act);
            }
        })
    };
    html! {
        <div class={classes!("way", "drop", over.then_some("over"))} {ondrop} ondragover={hover(true)} ondragleave={hover(false)}>
            <h3>{"From files"}</h3>
            <label class="field" for="own-files">{"Drop files here, or choose them"}</label>
            <input id="own-files" type="file" multiple=true accept=".json,.safetensors,.gguf" onchange={onchange.clone()} data-testid="own-files" />
            <label class="field" for="own-folder">{"Or a model's or an adapter's folder"}</label>
            <input id="own-folder" type="file" webkitdirectory=true {onchange} data-testid="own-folder" />
            <p class="note">
                {"config.json with its safetensors files, an adapter_config.json, or a .gguf. Of a file of 50 GB only the header is read."}
            </p>
            <div class="field">
                <label for="own-paste">{"Or paste a config.json or adapter_config.json"}</label>
                <textarea id="own-paste" rows="3" spellcheck="false" oninput={onpaste} data-testid="own-paste" />
            </div>
        </div>
    }
}
