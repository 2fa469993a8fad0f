//! A text field with a list of what it may hold, after the WAI-ARIA combobox pattern (list with manual selection).

use std::rc::Rc;
use web_sys::{HtmlInputElement, ScrollIntoViewOptions, ScrollLogicalPosition};
use yew::prelude::*;

/// Something that can be picked.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What is committed when it is picked.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its size, beside the name.
    pub aside: String,
    /// What else is worth knowing.
    pub detail: String,
    /// Why it cannot be picked.
    pub refused: Option<String>,
    /// The heading under which it is listed.
    pub group: String,
}

impl Entry {
    /// Do all words of a query (in lower case) occur in this entry?
    fn matches(&self, query: &str) -> bool {
        let text = format!(
            "{} {} {} {} {}",
            self.key, self.name, self.group, self.aside, self.detail
        )
        .to_lowercase();
        query.split_whitespace().all(|word| text.contains(word))
    }
}

/// What a combobox needs.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// Its id, from which those of its parts follow; browser tests find it as `<id>-input`.
    pub id: AttrValue,
    /// Its label.
    pub label: AttrValue,
    /// The text of the present value.
    pub value: AttrValue,
    /// The key of the present value.
    pub chosen: Option<AttrValue>,
    /// What can be picked, groups together.
    pub entries: Rc<Vec<Entry>>,
    /// Told the key of what was picked, or the text that was typed and is no entry.
    pub commit: Callback<String>,
    /// What is wrong with the present value.
    pub problem: Option<String>,
    /// Shown while it is empty.
    pub placeholder: AttrValue,
}

/// Entries by which Page Up and Page Down move.
const PAGE: usize = 8;

/// The combobox.
#[component]
pub fn Combobox(props: &Props) -> Html {
    let open = use_state_eq(|| false);
    // What was typed since the last commit.
    let typed = use_state_eq(|| None::<String>);
    let active = use_state_eq(|| None::<usize>);

    let query = typed.as_deref().unwrap_or("").trim().to_lowercase();
    let found: Rc<Vec<usize>> = {
        let found = props
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| e.matches(&query));
        Rc::new(found.map(|(i, _)| i).collect())
    };
    let option_id = |i: usize| format!("{}-option-{i}", props.id);

    use_effect_with((*open, *active, props.id.clone()), |(open, active, id)| {
        if let (true, Some(active)) = (open, active) {
            let option = gloo::utils::document().get_element_by_id(&format!("{id}-option-{active}"));
            if let Some(option) = option {
                let nearest = ScrollIntoViewOptions::new();
                nearest.set_block(ScrollLogicalPosition::Nearest);
                option.scroll_into_view_with_scroll_into_view_options(&nearest);
            }
        }
    });

    let close = {
        let (open, typed, active) = (open.clone(), typed.clone(), active.clone());
        move || {
            open.set(false);
            typed.set(None);
            active.set(None);
        }
    };
    let pick = {
        let (props, close) = (props.clone(), close.clone());
        move |i: usize| {
            if let Some(entry) = props.entries.get(i).filter(|entry| entry.refused.is_none()) {
                close();
                props.commit.emit(entry.key.clone());
            }
        }
    };
    // Takes what was typed as it stands: an entry by its name, or a text that is none.
    let take_typed = {
        let (props, typed, close) = (props.clone(), typed.clone(), close.clone());
        move || {
            if let Some(text) = typed.as_deref().map(str::trim) {
                let same = |e: &&Entry| e.key.eq_ignore_ascii_case(text) || e.name.eq_ignore_ascii_case(text);
                let key = props.entries.iter().find(same).map_or(text, |entry| &entry.key);
                props.commit.emit(key.to_owned());
            }
            close();
        }
    };

    let oninput = {
        let (open, typed, active, props) = (open.clone(), typed.clone(), active.clone(), props.clone());
        Callback::from(move |event: InputEvent| {
            let text = event.target_unchecked_into::<HtmlInputElement>().value();
            let query = text.trim().to_lowercase();
            let first = props
                .entries
                .iter()
                .position(|e| e.refused.is_none() && e.matches(&query));
            active.set(first.filter(|_| !query.is_empty()));
            // A whole key, pasted or set by an assistant, needs no further key stroke.
            if let Some(entry) = props
                .entries
                .iter()
                .find(|e| e.key == text.trim() && e.refused.is_none())
            {
                props.commit.emit(entry.key.clone());
            }
            typed.set(Some(text));
            open.set(true);
        })
    };
    let onfocus = Callback::from(|event: FocusEvent| {
        event.target_unchecked_into::<HtmlInputElement>().select();
    });
    let onblur = {
        let take_typed = take_typed.clone();
        Callback::from(move |_: FocusEvent| take_typed())
    };
    let onclick = {
        let (open, active, chosen) = (open.clone(), active.clone(), props.chosen.clone());
        let entries = props.entries.clone();
        Callback::from(move |_: MouseEvent| {
            if !*open {
                active.set(
                    entries
                        .iter()
                        .position(|e| Some(e.key.as_str()) == chosen.as_deref()),
                );
                open.set(true);
            }
        })
    };
    let onkeydown = {
        let (open, active, found) = (open.clone(), active.clone(), found.clone());
        let (pick, take_typed, close, props) =
            (pick.clone(), take_typed.clone(), close.clone(), props.clone());
        Callback::from(move |event: KeyboardEvent| {
            let last = found.len().saturating_sub(1);
            let here = active.and_then(|active| found.iter().position(|i| *i == active));
            let chosen = || {
                found
                    .iter()
                    .position(|i| props.chosen.as_deref() == Some(&props.entries[*i].key))
            };
            let target = match (event.key().as_str(), here) {
                ("ArrowDown", None) => chosen().unwrap_or(0),
                ("ArrowUp", None) => chosen().unwrap_or(last),
                ("ArrowDown", Some(here)) => {
                    if here == last {
                        0
                    } else {
                        here + 1
                    }
                }
                ("ArrowUp", Some(here)) => here.checked_sub(1).unwrap_or(last),
                ("PageDown", here) if *open => (here.unwrap_or(0) + PAGE).min(last),
                ("PageUp", here) if *open => here.unwrap_or(0).saturating_sub(PAGE),
                ("Enter", _) => {
                    event.prevent_default();
                    match *active {
                        Some(active) if *open => pick(active),
                        _ => take_typed(),
                    }
                    return;
                }
                ("Escape", _) => return close(),
                _ => return,
            };
            event.prevent_default();
            open.set(true);
            active.set(found.get(target).copied());
        })
    };
    // Keeps the focus in the field while the pointer is in the list.
    let onmousedown = Callback::from(|event: MouseEvent| event.prevent_default());

    let describe = format!("{}-problem", props.id);
    html! {
        <div class={classes!("combobox", props.id.clone(), props.problem.is_some().then_some("wrong"))}>
            <label for={props.id.clone()}>{&props.label}</label>
            <input type="text" id={props.id.clone()} role="combobox" autocomplete="off" spellcheck="false"
                autocapitalize="off" data-testid={format!("{}-input", props.id)} placeholder={&props.placeholder}
                value={typed.as_deref().map_or_else(|| props.value.clone(), |t| t.to_owned().into())}
                aria-expanded={open.to_string()} aria-controls={format!("{}-list", props.id)}
                aria-autocomplete="list" aria-activedescendant={active.filter(|_| *open).map(option_id)}
                aria-invalid={props.problem.is_some().then_some("true")}
                aria-describedby={props.problem.is_some().then(|| describe.clone())}
                {oninput} {onfocus} {onblur} {onclick} {onkeydown} />
            <svg class="chevron" viewBox="0 0 12 12" aria-hidden="true"><path d="M2.5 4.5 6 8l3.5-3.5" /></svg>
            <ul id={format!("{}-list", props.id)} role="listbox" aria-label={&props.label} hidden={!*open} {onmousedown}>
                if *open {
                    {list(&props.entries, &found, *active, props.chosen.as_deref(), &option_id, &pick)}
                    if found.is_empty() {
                        <li class="nothing" role="presentation">{"Nothing in the catalog has these words."}</li>
                    }
                }
            </ul>
            if let Some(problem) = &props.problem {
                <p class="problem" id={describe} data-testid="problem">{problem}</p>
            }
        </div>
    }
}

fn list(
    entries: &[Entry],
    found: &[usize],
    active: Option<usize>,
    chosen: Option<&str>,
    option_id: &impl Fn(usize) -> String,
    pick: &(impl Fn(usize) + Clone + 'static),
) -> Html {
    let option = |i: usize| {
        let entry = &entries[i];
        let pick = pick.clone();
        html! {
            <li key={i} id={option_id(i)} role="option" class={classes!((active == Some(i)).then_some("active"))}
                aria-selected={(chosen == Some(&entry.key)).to_string()}
                aria-disabled={entry.refused.is_some().then_some("true")}
                onclick={Callback::from(move |_| pick(i))}>
                <span class="name">{&entry.name}</span>
                <span class="aside">{&entry.aside}</span>
                <span class="detail">{entry.refused.as_ref().unwrap_or(&entry.detail)}</span>
            </li>
        }
    };
    let groups = found.chunk_by(|a, b| entries[*a].group == entries[*b].group);
    groups
        .map(|group| {
            let name = entries[group[0]].group.clone();
            html! {
                <li key={name.clone()} role="presentation">
                    <ul role="group" aria-label={name.clone()}>
                        <li class="heading" role="presentation">{name}</li>
                        {for group.iter().map(|i| option(*i))}
                    </ul>
                </li>
            }
        })
        .collect()
}
