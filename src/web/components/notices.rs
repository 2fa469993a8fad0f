//! What the user should know about the link that was opened.

use super::desk::Desk;
use crate::web::state::Action;
use yew::prelude::*;

/// The notices, until they are dismissed.
pub fn notices(desk: &Desk) -> Html {
    if desk.state.notices.is_empty() {
        return Html::default();
    }
    let onclick = desk.act.reform(|_| Action::DismissNotices);
    html! {
        <aside class="notices" aria-label="About this link">
            <div role="status">
                <ul>
                    for notice in &desk.state.notices {
                        <li data-testid="notice">{notice}</li>
                    }
                </ul>
            </div>
            <button type="button" {onclick} aria-label="Dismiss">{"×"}</button>
        </aside>
    }
}
