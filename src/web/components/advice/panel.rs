//! The panel.

use super::change::{apply_button, change, saves, then};
use super::tree::tree;
use crate::scenario::Scenario;
use crate::web::advice::{Advice, Remedy};
use crate::web::components::desk::Desk;
use crate::web::components::job::use_job;
use crate::web::components::piece::piece;
use crate::web::jobs::Job;
use crate::web::state::Action;
use yew::functional::Hook;
use yew::prelude::*;

/// What to change. The advice is worked out on another thread.
pub fn advice_panel(desk: &Desk) -> Html {
    piece("advice", desk, |desk, context| {
        use_advice_panel(desk).run(context)
    })
}

#[hook]
fn use_advice_panel(desk: &Desk) -> Html {
    let observed = use_state_eq(|| None::<bool>);
    let undo = use_state_eq(|| None::<(String, Scenario, Scenario)>);
    let run = desk.state.answered();
    let job = run.clone().map(|run| Job::Advice(Box::new(run), *observed));
    let advice = use_job::<Advice>(job);
    let apply = {
        let (act, undo, before) = (desk.act.clone(), undo.clone(), run.clone());
        Callback::from(move |(name, after): (String, Scenario)| {
            if let Some(before) = before.clone() {
                undo.set(Some((name, before, after.clone())));
            }
            act.emit(Action::Take(Box::new(after)));
        })
    };
    let tell = {
        let observed = observed.clone();
        Callback::from(move |to| observed.set(to))
    };
    // What was done since then is not undone with it.
    let undoable = undo.as_ref().filter(|(_, _, after)| Some(after) == run.as_ref());
    let old = desk.state.answer.is_old().then_some("old");
    html! {
        <section class={classes!("panel", "advice", old)} aria-labelledby="advice-title" data-testid="advice">
            <h2 id="advice-title">{"What to change"}</h2>
            <p class="applied" role="status">
                if let Some((name, before, _)) = undoable {
                    {format!("Applied: {name}. ")}
                    <button type="button" class="small" data-testid="undo" onclick={desk.act.reform({
                        let before = Box::new(before.clone());
                        move |_: MouseEvent| Action::Take(before.clone())
                    })}>{"undo"}</button>
                } else {
                    <span class="note">{"What each change saves here: by how much the card may be smaller."}</span>
                }
            </p>
            if let Some(advice) = &advice {
                if let Some(found) = &advice.remedy { {remedy(found, &apply)} }
                <ul class="levers" data-testid="levers">
                    {for advice.levers.iter().map(|lever| change(lever, &apply))}
                </ul>
                if advice.levers.is_empty() { <p class="note">{"Nothing known makes this run smaller."}</p> }
                <h3>{"The field's decision tree"}</h3>
                {tree(&advice.tree, *observed, &tell, &apply)}
            } else {
                <p class="note waiting">{"…"}</p>
            }
        </section>
    }
}

/// The smallest set of changes that fits.
fn remedy(remedy: &Remedy, apply: &super::change::Apply) -> Html {
    html! {
        <div class="remedy" data-testid="remedy">
            <p>
                <b>{"It fits with: "}</b>
                {remedy.steps.iter().map(|step| format!("{} ({})", step.label, step.cost.label())).collect::<Vec<_>>().join(", ")}
            </p>
            <p>
                <b class="saves">{saves(&remedy.effect)}</b>{" "}{then(&remedy.effect)}{" "}
                {apply_button("all of these changes", Some(&remedy.link), apply)}
            </p>
        </div>
    }
}
