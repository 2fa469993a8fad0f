//! The head of the page: name, model, card, and what concerns the page as a whole.

use super::desk::Desk;
use super::mark::Mark;
use super::pickers::{CardPicker, ModelPicker};
use super::share::Share;
use super::theme_button::ThemeButton;
use yew::prelude::*;

/// The head of the page.
#[component]
pub fn Header(desk: &Desk) -> Html {
    let Desk { state, act } = desk.clone();
    html! {
        <header class="head">
            <a class="brand" href="./" aria-label="Plimsoll, start again">
                <Mark />
                <span>{"Plimsoll"}</span>
            </a>
            <ModelPicker state={state.clone()} act={act.clone()} />
            <CardPicker state={state.clone()} {act} />
            <div class="tools">
                <Share {state} />
                <ThemeButton />
            </div>
        </header>
    }
}
