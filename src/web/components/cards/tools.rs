//! What narrows and sorts the table.

use crate::web::card_table::{Look, SortBy};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The filter above the table.
pub fn tools(look: &Look, set: &Callback<Look>, shown: usize, all: usize) -> Html {
    let change = |change: fn(&mut Look, &HtmlInputElement)| {
        let (look, set) = (look.clone(), set.clone());
        move |input: HtmlInputElement| {
            let mut look = look.clone();
            change(&mut look, &input);
            set.emit(look);
        }
    };
    let type_words = change(|look, input| look.words = input.value());
    let only_fitting = change(|look, input| look.fitting = input.checked());
    let only_priced = change(|look, input| look.priced = input.checked());
    let oninput = Callback::from(move |event: InputEvent| type_words(event.target_unchecked_into()));
    let boxed = |label: &'static str, checked: bool, onchange: Callback<Event>| {
        html! { <label><input type="checkbox" {checked} {onchange} />{label}</label> }
    };
    html! {
        <div class="table-tools" role="search" aria-label="Cards shown">
            <input type="search" aria-label="Cards with these words" placeholder="name, generation, form"
                data-testid="cards-words" value={look.words.clone()} {oninput} />
            {boxed("that fit", look.fitting, Callback::from(move |e: Event| only_fitting(e.target_unchecked_into())))}
            {boxed("with a price", look.priced, Callback::from(move |e: Event| only_priced(e.target_unchecked_into())))}
            <span class="note" role="status">{format!("{shown} of {all} shown")}</span>
        </div>
    }
}

/// The heading of a column that can be sorted by.
pub fn heading(look: &Look, set: &Callback<Look>, by: SortBy, label: &'static str) -> Html {
    let sorted = (look.by == by).then_some(if look.reversed { "descending" } else { "ascending" });
    let to = look.sorted(by);
    html! {
        <th scope="col" aria-sort={sorted}>
            <button type="button" onclick={set.reform(move |_| to.clone())}>
                {label}
                <span class="arrow" aria-hidden="true">
                    {match sorted { Some("ascending") => "▲", Some(_) => "▼", None => "" }}
                </span>
            </button>
        </th>
    }
}
