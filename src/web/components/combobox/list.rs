//! The entries of a combobox as a list box with groups.

use super::entry::Entry;
use yew::prelude::*;

/// The id of an option; `aria-activedescendant` names it.
pub fn option_id(combobox: &str, place: usize) -> String {
    format!("{combobox}-option-{place}")
}

/// The options at the places in `found`, by group; `pick` is told the place of the one that is clicked.
pub fn options(
    combobox: &str,
    entries: &[Entry],
    found: &[usize],
    active: Option<usize>,
    chosen: Option<&str>,
    pick: &Callback<usize>,
) -> Html {
    if found.is_empty() {
        return html! { <li class="nothing" role="presentation">{"Nothing in the catalog has these words."}</li> };
    }
    let option = |place: usize| {
        let entry = &entries[place];
        html! {
            <li key={place} id={option_id(combobox, place)} role="option"
                class={classes!((active == Some(place)).then_some("active"))}
                aria-selected={(chosen == Some(&entry.key)).to_string()}
                aria-disabled={entry.refused.is_some().then_some("true")} onclick={pick.reform(move |_| place)}>
                <span class="name">{&entry.name}</span>
                <span class="aside">{&entry.aside}</span>
                <span class="detail">{entry.refused.as_ref().unwrap_or(&entry.detail)}</span>
            </li>
        }
    };
    let group = |places: &[usize]| {
        let name = &entries[places[0]].group;
        html! {
            <li key={places[0]} role="presentation">
                <ul role="group" aria-label={name.clone()}>
                    <li class="heading" role="presentation">{name}</li>
                    {for places.iter().map(|place| option(*place))}
                </ul>
            </li>
        }
    };
    found
        .chunk_by(|a, b| entries[*a].group == entries[*b].group)
        .map(group)
        .collect()
}
