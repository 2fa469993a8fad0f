//! The answer at a glance: verdict, gauge, quantities.

use super::gauge::gauge;
use super::quantities::quantities;
use super::question::question;
use super::verdict::verdict;
use crate::web::components::desk::Desk;
use crate::web::components::pinned::pin_button;
use yew::prelude::*;

/// The answer at a glance.
pub fn answer(desk: &Desk) -> Html {
    let answer = &desk.state.answer;
    let old = answer.is_old().then_some("old");
    html! {
        <>
            <section class="panel glance" aria-label="Answer">
                <div class="asked">{question(&desk.state)}{pin_button(desk)}</div>
                {verdict(&desk.state)}
                <div class={classes!("load", old)}>
                    if let Some(last) = &answer.last {
                        {gauge(&last.0, &last.1)}
                    }
                </div>
            </section>
            if let Some(last) = &answer.last {
                <section class={classes!("panel", "figures", old)} aria-label="Quantities">
                    {quantities(&last.1, answer.allocated_bytes(&last.1))}
                </section>
            }
        </>
    }
}
