//! Scripts and configurations that run the scenario.

use super::desk::Desk;
use super::piece::piece;
use crate::export::{Target, script};
use crate::web::browser::{clipboard, download};
use yew::functional::Hook;
use yew::prelude::*;

/// The panel: one target at a time.
pub fn run_it(desk: &Desk) -> Html {
    piece("run", desk, |desk, context| use_run_it(desk).run(context))
}

#[hook]
fn use_run_it(desk: &Desk) -> Html {
    let target = use_state_eq(|| Target::ALL[0]);
    let said = use_state_eq(|| "");
    let Some(last) = desk.state.answer.last.clone() else {
        return Html::default();
    };
    let written = use_memo((last, *target), |(last, target)| script(&last.0, *target));
    let old = desk.state.answer.is_old().then_some("old");
    let tab = |each: Target| {
        let pressed = *target == each;
        let (target, said) = (target.clone(), said.clone());
        let onclick = Callback::from(move |_: MouseEvent| {
            target.set(each);
            said.set("");
        });
        html! {
            <button type="button" aria-pressed={pressed.to_string()} {onclick}>{each.label()}</button>
        }
    };
    let copy = {
        let (written, said) = (written.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            let (written, said) = (written.clone(), said.clone());
            wasm_bindgen_futures::spawn_local(async move {
                let Ok(script) = written.as_ref() else { return };
                let copied = clipboard::copy(&script.text).await;
                said.set(if copied {
                    "Copied"
                } else {
                    "The browser does not let the page copy; save it instead"
                });
            });
        })
    };
    let save = {
        let (written, said) = (written.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            if let Ok(script) = written.as_ref() {
                download::text(script.file_name, "text/plain", &script.text);
                said.set("Saved");
            }
        })
    };
    html! {
        <section class={classes!("panel", "run", old)} aria-labelledby="run-title" data-testid="run">
            <h2 id="run-title">{"Run it"}</h2>
            <div class="choices" role="group" aria-label="Written for">
                {for Target::ALL.iter().map(|each| tab(*each))}
            </div>
            {match written.as_ref() {
                Err(reason) => html! { <p class="note refusal">{format!("Not for this run: {reason}.")}</p> },
                Ok(script) => html! {
                    <>
                        <div class="run-tools">
                            <button type="button" class="small" onclick={copy}>{"Copy"}</button>
                            <button type="button" class="small" onclick={save}>{format!("Save {}", script.file_name)}</button>
                            <span class="note" role="status">{*said}</span>
                        </div>
                        if !script.differences.is_empty() {
                            <p class="note">
                                {"It runs this scenario but for "}
                                {script.differences.iter().map(|d| format!("{}: {} instead of {}", d.field, d.to, d.from))
                                    .collect::<Vec<_>>().join("; ")}{"."}
                            </p>
                        }
                        for note in &script.notes { <p class="note">{note}</p> }
                        <pre tabindex="0" role="region" aria-label={script.target.label()} data-testid="script"><code>{&script.text}</code></pre>
                    </>
                },
            }}
        </section>
    }
}
