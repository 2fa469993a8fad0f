//! The answer at a glance: verdict, gauge, quantities.

use super::gauge::Gauge;
use super::quantities::Quantities;
use super::question::Question;
use super::verdict::Verdict;
use crate::web::components::desk::Desk;
use crate::web::state::Standing;
use yew::prelude::*;

/// The answer at a glance.
#[component]
pub fn Answer(desk: &Desk) -> Html {
    let answer = &desk.state.answer;
    let old = (answer.standing != Standing::Current).then_some("old");
    html! {
        <>
            <section class={classes!("panel", "glance")} aria-label="Answer">
                <Question ..desk.clone() />
                <Verdict ..desk.clone() />
                <div class={classes!("load", old)}>
                    if let Some(last) = &answer.last {
                        <Gauge last={last.clone()} />
                    }
                </div>
            </section>
            if let Some(last) = &answer.last {
                <section class={classes!("panel", "figures", old)} aria-label="Quantities">
                    <Quantities last={last.clone()} />
                </section>
            }
        </>
    }
}
