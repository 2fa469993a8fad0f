//! What stands behind the answer, in two columns.

use super::answer::{breakdown, phases};
use super::desk::Desk;
use super::piece::piece;
use super::quant_panel::quant_panel;
use super::second::{Stretch, stretch, use_second_part};
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
    let standing = use_second_part();
    let Some(state) = use_answered(&desk.state) else {
        return Html::default();
    };
    let act = desk.act.clone();
    let desk = Desk { state, act };
    html! {
        <>
            <div class="column">
                {breakdown(&desk)}
                if desk.state.answer.last.is_some() {
                    {quant_panel(&desk)}
                }
                {stretch(Stretch::First, standing, &desk)}
            </div>
            <div class="column">
                {phases(&desk)}
                {timeline_panel(&desk)}
                {stretch(Stretch::Second, standing, &desk)}
            </div>
        </>
    }
}

/// The state for what stands behind the answer: not while an answer is awaited, and a frame after it, so that the answer
/// is on screen first. Nothing before the first.
#[hook]
fn use_answered(now: &Rc<State>) -> Option<Rc<State>> {
    let shown = use_state(|| None);
    let setter = shown.setter();
    use_effect_with(now.clone(), move |now| {
        let awaited = now.answer.standing == Standing::Awaited;
        let now = now.clone();
        let soon = (!awaited).then(|| after_paint(move || setter.set(Some(now))));
        move || drop(soon)
    });
    (*shown).clone()
}
