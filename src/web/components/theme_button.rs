//! The button for light and dark.

use super::desk::Desk;
use super::piece::piece;
use crate::web::browser::theme::Theme;
use yew::functional::Hook;
use yew::prelude::*;

/// Goes round auto, light, dark.
pub fn theme_button(desk: &Desk) -> Html {
    piece("theme", desk, |_, context| use_theme_button().run(context))
}

#[hook]
fn use_theme_button() -> Html {
    let theme = use_state(Theme::load);
    use_effect_with(*theme, |theme| theme.apply());
    let onclick = {
        let theme = theme.clone();
        Callback::from(move |_| theme.set(theme.next()))
    };
    let word = theme.word();
    html! {
        <button type="button" class="tool theme" {onclick} aria-label={format!("Colours: {word}")}
            title={format!("Colours: {word}")}>
            <svg viewBox="0 0 24 24" aria-hidden="true" class={word}>
                {match *theme {
                    Theme::Auto => html! { <><circle cx="12" cy="12" r="8" class="line" /><path d="M12 4a8 8 0 0 1 0 16z" /></> },
                    Theme::Light => html! {
                        <><circle cx="12" cy="12" r="4.5" />
                        <path class="line" d="M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2" /></>
                    },
                    Theme::Dark => html! { <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z" /> },
                }}
            </svg>
        </button>
    }
}
