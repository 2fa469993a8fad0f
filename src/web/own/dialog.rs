//! The panel as a whole: where models come from, what came out, its fields, and the models that are kept.

use super::from_files::FromFiles;
use super::from_hub::FromHub;
use super::outcome::outcome;
use super::saved;
use super::shelf::Shelf;
use super::state::{Action, State};
use super::{fields::Fields, walk};
use crate::scenario::Scenario;
use gloo::events::EventListener;
use gloo::utils::window;
use std::rc::Rc;
use web_sys::HtmlDialogElement;
use yew::prelude::*;

/// What the page says to open the panel.
const OPEN: &str = "own-model";

/// [`State`] as Yew wants it.
#[derive(Clone, PartialEq)]
struct Panel(Rc<State>);

impl Reducible for Panel {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        Rc::new(Panel(Rc::new(self.0.reduce(action))))
    }
}

/// What the parts of the panel share.
#[derive(Clone, PartialEq, Properties)]
pub struct Desk {
    /// What is known.
    pub state: Rc<State>,
    /// Changes it.
    pub act: Callback<Action>,
}

/// The page's scenario, by the address.
pub fn on_the_page() -> Scenario {
    Scenario::from_fragment(&window().location().hash().unwrap_or_default()).scenario
}

/// The panel.
#[component]
pub fn Dialog() -> Html {
    let panel = use_reducer_eq(|| {
        Panel(Rc::new(
            State::default().reduce(Action::Open(Box::new(on_the_page()))),
        ))
    });
    let dialog = use_node_ref();
    let act = {
        let dispatcher = panel.dispatcher();
        use_callback((), move |action, ()| dispatcher.dispatch(action))
    };
    {
        let (dialog, act) = (dialog.clone(), act.clone());
        use_effect_with((), move |()| {
            let show = move || {
                if let Some(dialog) = dialog.cast::<HtmlDialogElement>().filter(|dialog| !dialog.open()) {
                    act.emit(Action::Open(Box::new(on_the_page())));
                    let _ = dialog.show_modal();
                }
            };
            show();
            let listener = EventListener::new(&window(), OPEN, move |_| show());
            move || drop(listener)
        });
    }
    // What is sound is shown at once: the page opens the fragment.
    {
        let state = panel.0.clone();
        use_effect_with(state.changes, move |changes| {
            let page = on_the_page();
            if let Some(run) = state.in_run(&page).filter(|run| *changes > 0 && *run != page) {
                let _ = window().location().set_hash(&run.to_fragment());
            }
        });
    }
    let close = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            walk::give_up();
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        })
    };
    let kept = use_state(saved::all);
    let desk = Desk {
        state: panel.0.clone(),
        act,
    };
    html! {
        <dialog ref={dialog} class="own" aria-labelledby="own-title" data-testid="own">
            <header>
                <h2 id="own-title">{"Your own model"}</h2>
                <button type="button" class="tool" onclick={close} data-testid="own-close">{"Done"}</button>
            </header>
            <p class="note">
                {"Of weights only the headers are read, a few KiB a file. Nothing leaves the browser, but for what you ask the Hub for. \
                  What comes out is in the link."}
            </p>
            <div class="ways">
                <FromHub ..desk.clone() />
                <FromFiles ..desk.clone() />
            </div>
            {outcome(&desk)}
            <Fields ..desk.clone() />
            <Shelf desk={desk} models={(*kept).clone()} keep={Callback::from(move |models| {
                saved::keep(&models);
                kept.set(models);
            })} />
        </dialog>
    }
}
