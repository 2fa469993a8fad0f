//! A text field with a list of what it may hold, after the WAI-ARIA combobox pattern (list with manual selection).

mod entry;
mod list;
mod moves;

pub use entry::{Entry, grouped};

use super::desk::Desk;
use super::shelf::{Present, Shelf};
use entry::find;
use list::{option_id, options};
use moves::lead;
use std::cell::LazyCell;
use std::rc::Rc;
use web_sys::{HtmlInputElement, ScrollIntoViewOptions, ScrollLogicalPosition};
use yew::prelude::*;

/// What the user is doing in the field.
#[derive(Clone, Default, PartialEq)]
struct Doing {
    open: bool,
    /// What was typed since the last commit.
    typed: Option<String>,
    /// The place of the option that Enter would pick.
    active: Option<usize>,
}

/// The combobox that fills a shelf's field; browser tests find it as `<id>-input`.
#[hook]
pub fn use_combobox(desk: &Desk, shelf: Shelf) -> Html {
    // Until somebody looks at them they are not made: they are not part of the first answer.
    let entries = use_memo((), |()| LazyCell::new(move || shelf.entries()));
    let doing = use_state_eq(Doing::default);
    let id = shelf.id();
    let Present { text, key } = shelf.present(&desk.state.scenario);
    let key: Option<Rc<str>> = key.map(Into::into);
    let chosen = key.as_deref();
    let commit = desk.act.reform(move |text| shelf.commit(text));
    let wrong = desk.state.problem(id);
    let found: Rc<[usize]> = match doing.open {
        true => find(&entries, doing.typed.as_deref().unwrap_or_default()).into(),
        false => Rc::default(),
    };

    use_effect_with((doing.open, doing.active), move |(open, active)| match active {
        Some(active) if *open => show(&option_id(id, *active)),
        _ => scroll_up(&format!("{id}-list")),
    });

    let pick = {
        let (entries, doing, commit) = (entries.clone(), doing.clone(), commit.clone());
        Callback::from(move |place: usize| {
            if let Some(entry) = entries.get(place).filter(|entry| entry.is_free()) {
                doing.set(Doing::default());
                commit.emit(entry.key.clone());
            }
        })
    };
    // Takes what was typed as it stands: an entry by its name, or a text that is none.
    let take_typed = {
        let (entries, doing, commit) = (entries.clone(), doing.clone(), commit.clone());
        Callback::from(move |()| {
            if let Some(text) = doing.typed.as_deref().map(str::trim) {
                let called = entries.iter().find(|entry| entry.is_called(text));
                commit.emit(called.map_or(text, |entry| &entry.key).to_owned());
            }
            doing.set(Doing::default());
        })
    };

    let oninput = {
        let (entries, doing, commit) = (entries.clone(), doing.clone(), commit.clone());
        Callback::from(move |event: InputEvent| {
            let text = event.target_unchecked_into::<HtmlInputElement>().value();
            // A whole key, pasted or set by an assistant, needs no further key stroke.
            if let Some(entry) = entries
                .iter()
                .find(|entry| entry.key == text.trim() && entry.is_free())
            {
                commit.emit(entry.key.clone());
            }
            let first = find(&entries, &text)
                .into_iter()
                .find(|place| entries[*place].is_free());
            let active = first.filter(|_| !text.trim().is_empty());
            doing.set(Doing {
                open: true,
                typed: Some(text),
                active,
            });
        })
    };
    let onclick = {
        let (doing, entries, chosen) = (doing.clone(), entries.clone(), key.clone());
        Callback::from(move |_: MouseEvent| {
            if !doing.open {
                doing.set(Doing {
                    open: true,
                    active: entries
                        .iter()
                        .position(|e| Some(e.key.as_str()) == chosen.as_deref()),
                    typed: doing.typed.clone(),
                });
            }
        })
    };
    let onkeydown = {
        let (entries, doing, chosen) = (entries.clone(), doing.clone(), key.clone());
        let (pick, take_typed) = (pick.clone(), take_typed.clone());
        Callback::from(move |event: KeyboardEvent| {
            match (event.key().as_str(), doing.active) {
                ("Enter", Some(active)) if doing.open => pick.emit(active),
                ("Enter", _) => take_typed.emit(()),
                ("Escape", _) => doing.set(Doing::default()),
                (key, active) => {
                    let found = find(&entries, doing.typed.as_deref().unwrap_or_default());
                    let here = active.and_then(|active| found.iter().position(|place| *place == active));
                    let is_chosen = |place: &usize| chosen.as_deref() == Some(entries[*place].key.as_str());
                    let Some(to) = lead(key, here, found.iter().position(is_chosen), found.len()) else {
                        return;
                    };
                    doing.set(Doing {
                        open: true,
                        active: Some(found[to]),
                        typed: doing.typed.clone(),
                    });
                }
            }
            if event.key() != "Escape" {
                event.prevent_default();
            }
        })
    };
    let onfocus =
        Callback::from(|event: FocusEvent| event.target_unchecked_into::<HtmlInputElement>().select());
    let onblur = take_typed.reform(|_: FocusEvent| ());
    // Keeps the focus in the field while the pointer is in the list.
    let onmousedown = Callback::from(|event: MouseEvent| event.prevent_default());

    let problem = format!("{id}-problem");
    let described = wrong.is_some().then(|| problem.clone());
    let active = doing
        .active
        .filter(|_| doing.open)
        .map(|place| option_id(id, place));
    html! {
        <div class={classes!("combobox", id)}>
            <label for={id}>{shelf.label()}</label>
            <input type="text" {id} role="combobox" autocomplete="off" spellcheck="false" autocapitalize="off"
                data-testid={format!("{id}-input")} placeholder={shelf.placeholder()}
                value={doing.typed.clone().map_or_else(|| text.into(), AttrValue::from)}
                aria-expanded={doing.open.to_string()} aria-controls={format!("{id}-list")} aria-autocomplete="list"
                aria-activedescendant={active} aria-invalid={described.is_some().then_some("true")}
                aria-describedby={described} {oninput} {onfocus} {onblur} {onclick} {onkeydown} />
            <svg class="chevron" viewBox="0 0 12 12" aria-hidden="true"><path d="M2.5 4.5 6 8l3.5-3.5" /></svg>
            <ul id={format!("{id}-list")} role="listbox" aria-label={shelf.label()} hidden={!doing.open}
                {onmousedown}>
                if doing.open {
                    {options(id, &entries, &found, doing.active, chosen, &pick)}
                }
            </ul>
            if let Some(text) = &wrong {
                <p class="problem" id={problem} data-testid="problem">{text}</p>
            }
        </div>
    }
}

/// Scrolls an option into view.
fn show(option: &str) {
    if let Some(option) = gloo::utils::document().get_element_by_id(option) {
        let nearest = ScrollIntoViewOptions::new();
        nearest.set_block(ScrollLogicalPosition::Nearest);
        option.scroll_into_view_with_scroll_into_view_options(&nearest);
    }
}

/// Scrolls a list to its beginning.
fn scroll_up(list: &str) {
    if let Some(list) = gloo::utils::document().get_element_by_id(list) {
        list.set_scroll_top(0);
    }
}
