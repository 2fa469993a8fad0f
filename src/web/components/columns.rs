//! What stands behind the answer, in two columns.

use super::advice::advice_panel;
use super::answer::{breakdown, phases};
use super::cards::cards_panel;
use super::desk::Desk;
use super::evidence::evidence_panel;
use super::map::map_panel;
use super::piece::piece;
use super::quant_panel::quant_panel;
use super::run_it::run_it;
use super::timeline::timeline_panel;
use crate::web::browser::after_paint;
use crate::web::state::{Standing, State};
use std::rc::Rc;
use yew::functional::Hook;
use yew::prelude::*;

/// The columns.
pub fn columns(desk: &Desk) -> Html {
    piece("columns", desk, |desk, context| use_columns(desk).run(context))
}

#[hook]
fn use_columns(desk: &Desk) -> Html {
    let desk = Desk {
        state: use_answered(&desk.state),
        act: desk.act.clone(),
    };
    html! {
        <>
            <div class="column">
                {breakdown(&desk)}
                if desk.state.answer.last.is_some() {
                    {quant_panel(&desk)}
                }
                {advice_panel(&desk)}
                {evidence_panel(&desk)}
            </div>
            <div class="column">
                {phases(&desk)}
                {timeline_panel(&desk)}
                {map_panel(&desk)}
                {cards_panel(&desk)}
                {run_it(&desk)}
            </div>
        </>
    }
}

/// The state for what stands behind the answer: not while an answer is awaited, and a frame after it, so that the answer
/// is on screen first.
#[hook]
fn use_answered(now: &Rc<State>) -> Rc<State> {
    let shown = use_state(|| now.clone());
    let setter = shown.setter();
    use_effect_with(now.clone(), move |now| {
        let awaited = now.answer.standing == Standing::Awaited;
        let now = now.clone();
        let soon = (!awaited).then(|| after_paint(move || setter.set(now)));
        move || drop(soon)
    });
    (*shown).clone()
}
