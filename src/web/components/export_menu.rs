//! The answer for other places: Markdown to paste, JSON and CSV to keep.

use super::desk::Desk;
use super::piece::piece;
use super::second::{Text, exported, use_second_part};
use crate::web::browser::{address, clipboard, download};
use crate::web::later::{SecondPart, when_here};
use crate::web::link;
use yew::functional::Hook;
use yew::prelude::*;

/// The menu; what was done is said beside it.
pub fn export_menu(desk: &Desk) -> Html {
    piece("export", desk, |desk, context| use_export_menu(desk).run(context))
}

#[hook]
fn use_export_menu(desk: &Desk) -> Html {
    let said = use_state_eq(|| "");
    let away = use_second_part() != SecondPart::Here;
    let Some(last) = desk.state.answer.last.clone() else {
        return Html::default();
    };
    let markdown = {
        let (last, said) = (last.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            let url = address::with_fragment(&link::write(&last.0));
            let (text, said) = (exported(&last.0, &last.1, Text::Markdown(&url)), said.clone());
            wasm_bindgen_futures::spawn_local(async move {
                said.set(match clipboard::copy(&text).await {
                    true => "Markdown copied",
                    false => {
                        download::text("plimsoll.md", "text/markdown", &text);
                        "The browser does not let the page copy: saved as plimsoll.md"
                    }
                });
            });
        })
    };
    let json = {
        let (last, said) = (last.clone(), said.clone());
        Callback::from(move |_: MouseEvent| {
            download::text(
                "plimsoll.json",
                "application/json",
                &exported(&last.0, &last.1, Text::Json),
            );
            said.set("Saved as plimsoll.json");
        })
    };
    let csv = {
        let said = said.clone();
        Callback::from(move |_: MouseEvent| {
            download::text("plimsoll.csv", "text/csv", &exported(&last.0, &last.1, Text::Csv));
            said.set("Saved as plimsoll.csv");
        })
    };
    let ontoggle = {
        let said = said.clone();
        Callback::from(move |_: Event| {
            // What writes the answer is in the second part of the program.
            when_here(|| ());
            said.set("");
        })
    };
    html! {
        <details class="menu" {ontoggle}>
            <summary class="tool">{"Export"}</summary>
            <div class="sheet" role="group" aria-label="Export this answer">
                <button type="button" data-testid="copy-markdown" onclick={markdown} disabled={away}>{"Copy as Markdown"}</button>
                <button type="button" data-testid="save-json" onclick={json} disabled={away}>{"Save as JSON"}</button>
                <button type="button" data-testid="save-csv" onclick={csv} disabled={away}>{"Save as CSV"}</button>
                <p class="note" role="status">{*said}</p>
            </div>
        </details>
    }
}
