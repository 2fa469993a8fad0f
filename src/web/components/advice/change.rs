//! One change, with what it saves and the button that makes it.

use crate::scenario::Scenario;
use crate::web::advice::{Change, Effect};
use crate::web::components::cards::{spare, verdict};
use crate::words::size;
use yew::prelude::*;

/// What is told when a change is made: its name and the changed scenario.
pub type Apply = Callback<(String, Scenario)>;

/// What a change saves, with a sign.
pub fn saves(effect: &Effect) -> String {
    let sign = match effect.saves_bytes.signum() {
        0 => "±",
        1 => "−",
        _ => "+",
    };
    format!("{sign}{}", size(effect.saves_bytes.unsigned_abs()))
}

/// The verdict after a change.
pub fn then(effect: &Effect) -> Html {
    let (Some(fit), Some(headroom)) = (effect.after.verdict, effect.after.headroom_bytes) else {
        return Html::default();
    };
    let (sign, word, class) = verdict(fit);
    html! { <span class={classes!("then", class)}>{format!("{sign} {word}, {} GiB", spare(headroom))}</span> }
}

/// The button that makes a change.
pub fn apply_button(label: &str, link: Option<&String>, apply: &Apply) -> Html {
    let Some(link) = link.cloned() else {
        return Html::default();
    };
    let name = label.to_owned();
    let changed = move |_: MouseEvent| (name.clone(), Scenario::from_fragment(&link).scenario);
    html! {
        <button type="button" class="small" aria-label={format!("Apply: {label}")}
            onclick={apply.reform(changed)}>{"apply"}</button>
    }
}

/// One change.
pub fn change(change: &Change, apply: &Apply) -> Html {
    let told = change.refused.as_ref().unwrap_or(&change.side_effect);
    html! {
        <li key={change.id.clone()} class={classes!("change", change.effect.is_none().then_some("quiet"))}>
            <b class="saves">{change.effect.as_ref().map(saves)}</b>
            <span class="what" title={change.why.clone()}>
                {&change.label}
                if let Some(setting) = &change.setting { <code>{setting}</code> }
                <span class="note">{change.cost.label()}{": "}{told}</span>
            </span>
            {change.effect.as_ref().map(then)}
            {apply_button(&change.label, change.link.as_ref(), apply)}
        </li>
    }
}
