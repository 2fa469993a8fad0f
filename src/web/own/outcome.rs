//! What came out: the model in a few words, what its files hold, and what is worth knowing.

use super::dialog::Desk;
use super::state::Action;
use crate::bytes::Bytes;
use crate::checkpoint::{Inventory, OwnModel};
use crate::export::Adapter;
use crate::words::count;
use yew::prelude::*;

/// The outcome, or why there is none.
pub fn outcome(desk: &Desk) -> Html {
    let state = &desk.state;
    let refused = state.refused();
    let nearest = state
        .found
        .as_ref()
        .and_then(|found| found.nearest)
        .unwrap_or("llama");
    let treat = {
        let act = desk.act.clone();
        Callback::from(move |_: MouseEvent| act.emit(Action::Edit("treat_as".into(), nearest.into())))
    };
    html! {
        <section class="outcome" aria-live="polite">
            if let Some(why) = &state.failure {
                <p class="problem" role="alert" data-testid="own-problem">{why}</p>
                if !state.draft.is_empty() {
                    <p class="note" data-testid="own-before">
                        {format!("Nothing was taken from it. What stands below is the model before it, {}.", state.config().0.label())}
                    </p>
                }
            }
            if let Some(adapter) = &state.adapter {
                {adapted(adapter)}
            }
            if let Some(found) = &state.found {
                {described(found)}
            }
            {for state.config().1.iter().filter(|_| !state.draft.is_empty()).map(|problem| html! {
                <p class="problem" data-testid="own-wrong">{problem.to_string()}</p>
            })}
            if let Some(reason) = refused {
                <p class="problem" data-testid="own-refused">{format!("Not modelled: {reason}.")}</p>
                <p>
                    <button type="button" class="tool" onclick={treat} data-testid="own-treat">
                        {format!("Treat it as {nearest} all the same")}
                    </button>
                </p>
            }
        </section>
    }
}

fn adapted(adapter: &Adapter) -> Html {
    html! {
        <>
            <h3 data-testid="own-adapter">{adapter.words()}</h3>
            <ul class="note">{for adapter.remarks.iter().map(|remark| html! { <li>{remark}</li> })}</ul>
        </>
    }
}

fn described(found: &OwnModel) -> Html {
    let config = &found.config;
    let agreement = found.check.as_ref().map(|check| match check.agrees {
        true => "configuration and files agree".to_owned(),
        false => format!(
            "configuration and files do not agree: {} weights computed, {} stored",
            count(check.computed),
            count(check.stored)
        ),
    });
    let explanations = found.check.iter().flat_map(|check| &check.explanations);
    html! {
        <>
            <h3 data-testid="own-found">{
                format!("{}: {} layers of {}{}", config.label(), config.num_hidden_layers, config.hidden_size,
                    found.parameters.map(|n| format!(", {} weights", count(n))).unwrap_or_default())
            }</h3>
            if let Some(inventory) = &found.inventory {
                {stored(inventory)}
            }
            <ul class="note" data-testid="own-remarks">
                if let Some(id) = found.catalog_id() {
                    <li>{format!("the same architecture as {id} of the catalog")}</li>
                }
                {for agreement.iter().chain(&found.remarks).chain(explanations).map(|remark| html! { <li>{remark}</li> })}
                if !found.skip_modules.is_empty() {
                    <li>{format!("in 16 bit stay {}", found.skip_modules.join(", "))}</li>
                }
            </ul>
        </>
    }
}

fn stored(inventory: &Inventory) -> Html {
    let row = |line: &crate::checkpoint::Line| {
        html! {
            <tr>
                <th scope="row">{line.part.label()}</th>
                <td>{line.dtype}</td>
                <td class="size">{count(line.weights)}</td>
                <td class="size">{Bytes(line.bytes).to_string()}</td>
            </tr>
        }
    };
    html! {
        <table data-testid="own-stored">
            <thead><tr><th scope="col">{"stored"}</th><th scope="col">{"dtype"}</th><th scope="col" class="size">{"weights"}</th><th scope="col" class="size">{"bytes"}</th></tr></thead>
            <tbody>{for inventory.lines.iter().map(row)}</tbody>
        </table>
    }
}
