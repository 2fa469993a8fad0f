//! The head of the page: name, model, card, and what concerns the page as a whole.

use super::desk::Desk;
use super::export_menu::export_menu;
use super::mark::mark;
use super::share::share;
use super::shelf::{card_picker, model_picker};
use super::theme_button::theme_button;
use yew::prelude::*;

/// The head of the page; its name alone until the page has begun.
pub fn header(desk: &Desk, begun: bool) -> Html {
    html! {
        <header class="head">
            <a class="brand" href="./" aria-label="Plimsoll, start again">
                {mark()}
                <span>{"Plimsoll"}</span>
            </a>
            if begun { {tools(desk)} }
        </header>
    }
}

fn tools(desk: &Desk) -> Html {
    html! {
        <>
            {model_picker(desk)}
            {card_picker(desk)}
            <div class="tools">
                <button type="button" class="tool own-model" onclick={|_| own_model()} data-testid="own-model" title="A model from the Hub, a config.json, safetensors or GGUF">
                    {"Own model"}
                </button>
                {share(desk)}
                // boot.js listens to it, and loads the dialog when it is asked for.
                <button type="button" class="tool" data-embed="">{"Embed"}</button>
                {export_menu(desk)}
                {theme_button(desk)}
            </div>
        </>
    }
}

/// Asks for the panel of models of one's own; `boot.js` loads it.
fn own_model() {
    if let Ok(event) = web_sys::Event::new("own-model") {
        let _ = gloo::utils::window().dispatch_event(&event);
    }
}
