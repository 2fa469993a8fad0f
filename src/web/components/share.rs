//! The button that copies a link to the scenario.

use super::desk::Desk;
use super::piece::piece;
use crate::web::browser::{address, clipboard};
use crate::web::link;
use gloo::timers::callback::Timeout;
use yew::functional::Hook;
use yew::prelude::*;

#[derive(Clone, PartialEq)]
enum Told {
    Nothing,
    Copied,
    /// The browser does not let us copy: the link, to be copied by hand.
    ByHand(String),
}

/// How long "copied" is shown, in milliseconds.
const SHOWN: u32 = 2000;

/// Copies a link to the scenario on screen.
pub fn share(desk: &Desk) -> Html {
    piece("share", desk, |desk, context| use_share(desk).run(context))
}

#[hook]
fn use_share(desk: &Desk) -> Html {
    let told = use_state(|| Told::Nothing);
    let onclick = {
        let (told, state) = (told.clone(), desk.state.clone());
        Callback::from(move |_| {
            let told = told.clone();
            let url = address::with_fragment(&link::write(&state.scenario));
            wasm_bindgen_futures::spawn_local(async move {
                if clipboard::copy(&url).await {
                    told.set(Told::Copied);
                    Timeout::new(SHOWN, move || told.set(Told::Nothing)).forget();
                } else {
                    told.set(Told::ByHand(url));
                }
            });
        })
    };
    let close = {
        let told = told.clone();
        Callback::from(move |_| told.set(Told::Nothing))
    };
    html! {
        <>
            <button type="button" class="tool share" {onclick} title="Copy a link that holds this scenario">
                <svg viewBox="0 0 24 24" aria-hidden="true">
                    <path class="line" d="M9.5 14.5l5-5M8 11l-2.6 2.6a3.7 3.7 0 0 0 5.2 5.2L13 16.4M16 13l2.6-2.6a3.7 3.7 0 0 0-5.2-5.2L11 7.6" />
                </svg>
                <span aria-live="polite">{if *told == Told::Copied { "Copied" } else { "Copy link" }}</span>
            </button>
            if let Told::ByHand(url) = &*told {
                <div class="by-hand" role="group" aria-label="Link to this scenario">
                    <input type="text" readonly=true value={url.clone()} aria-label="Link to this scenario" />
                    <button type="button" onclick={close} aria-label="Close">{"×"}</button>
                </div>
            }
        </>
    }
}
