//! Which layers carry adapters: all, attention, or a list.

use super::slot::slot;
use crate::scenario::Targets;
use crate::web::components::desk::Desk;
use crate::web::components::piece::piece;
use crate::web::state::{Action, Field};
use web_sys::HtmlInputElement;
use yew::functional::Hook;
use yew::prelude::*;

const ATTENTION: &str = "q_proj, k_proj, v_proj, o_proj";
/// Where a list of one's own starts from: all linear layers of a Llama-type model by name.
const BY_NAME: &str = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Attention,
    List,
}

impl Kind {
    fn of(targets: &Targets) -> Kind {
        match targets {
            Targets::Word(_) => Kind::All,
            Targets::Modules(names) if names.join(", ") == ATTENTION => Kind::Attention,
            Targets::Modules(_) => Kind::List,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Kind::All => "all-linear",
            Kind::Attention => ATTENTION,
            Kind::List => BY_NAME,
        }
    }

    fn note(self) -> &'static str {
        match self {
            Kind::All => "adapters on every linear layer but the head",
            Kind::Attention => {
                "adapters on the attention projections only: fewer weights, gradients and kept inputs"
            }
            Kind::List => "adapters on the layers with these names",
        }
    }
}

/// The target modules.
pub fn targets(desk: &Desk) -> Html {
    piece("targets", desk, |desk, context| use_targets(desk).run(context))
}

#[hook]
fn use_targets(desk: &Desk) -> Html {
    let state = &desk.state;
    // A list of one's own stays open even while it says the same as a short form.
    let own = use_state_eq(|| false);
    let shown = if *own {
        Kind::List
    } else {
        Kind::of(&state.scenario.lora.targets)
    };
    let choose = |kind: Kind| {
        let (act, own) = (desk.act.clone(), own.clone());
        Callback::from(move |_: Event| {
            own.set(kind == Kind::List);
            act.emit(Action::Type(Field::Targets, kind.text().into()));
        })
    };
    let oninput = desk.act.reform(|event: InputEvent| {
        Action::Type(
            Field::Targets,
            event.target_unchecked_into::<HtmlInputElement>().value(),
        )
    });
    let problem = state.problem(Field::Targets.name());
    html! {
        <fieldset class="field radios" data-testid="targets" aria-describedby="targets-note">
            <legend>{"LoRA targets"}</legend>
            <div class="row">
                for (kind, slug, label) in [
                    (Kind::All, "all-linear", "all linear"),
                    (Kind::Attention, "attention", "attention"),
                    (Kind::List, "list", "by name"),
                ] {
                    <label title={kind.note()}>
                        <input type="radio" name="targets" value={slug} checked={shown == kind}
                            onchange={choose(kind)} />
                        <span>{label}</span>
                    </label>
                }
            </div>
            if shown == Kind::List {
                <input type="text" class="list" aria-label="Target modules" spellcheck="false" autocomplete="off"
                    autocapitalize="off" value={state.text(Field::Targets)} {oninput}
                    aria-describedby="targets-note" aria-invalid={problem.is_some().then_some("true")} />
            }
            {slot("targets-note".into(), shown.note(), problem)}
        </fieldset>
    }
}
