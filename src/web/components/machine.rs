//! What the browser tells of this machine's card: a hint, taken with one click or left alone.

use super::desk::Desk;
use super::piece::piece;
use crate::catalog::Gpu;
use crate::web::browser::adapter;
use crate::web::hint::{Hint, hint};
use crate::web::state::Action;
use gloo::timers::callback::Timeout;
use yew::functional::Hook;
use yew::prelude::*;

/// The browser is asked when all else is done: some take their time, in milliseconds.
const ASK_AFTER: u32 = 700;

/// The hint.
pub fn machine(desk: &Desk) -> Html {
    piece("machine", desk, |desk, context| use_machine(desk).run(context))
}

#[hook]
fn use_machine(desk: &Desk) -> Html {
    let found = use_state_eq(|| None::<Hint>);
    {
        let found = found.setter();
        use_effect_with((), move |()| {
            let ask = Timeout::new(ASK_AFTER, move || {
                wasm_bindgen_futures::spawn_local(async move {
                    let renderer = adapter::renderer();
                    let adapter = adapter::adapter().await;
                    found.set(Some(hint(renderer.as_deref(), adapter.as_ref())));
                });
            });
            move || drop(ask)
        });
    }
    let take = |card: &&'static Gpu| {
        let slug = card.slug.clone();
        let own = desk.state.scenario.gpu.as_deref() == Some(&card.slug);
        html! {
            <button type="button" class="small" disabled={own}
                onclick={desk.act.reform(move |_: MouseEvent| Action::Card(Some(slug.clone())))}>
                {format!("use {}", card.name)}
            </button>
        }
    };
    html! {
        <section class="machine" aria-labelledby="machine-title" data-testid="machine">
            <h2 id="machine-title">{"This machine"}</h2>
            if let Some(hint) = &*found {
                <p>{format!("A hint: {}.", hint.says)}</p>
                for card in &hint.cards { {take(card)} }
                for read in &hint.read { <p class="note">{read}</p> }
            } else {
                <p class="note">{"asking the browser for its card …"}</p>
            }
        </section>
    }
}
