//! The app: one state, the parts of the screen, and the link in the address bar.

use crate::web::browser::{address, after_paint, pace, worker};
use crate::web::components::{Desk, answer, columns, header, notices, pinned, scenario_form};
use crate::web::state::{Action, Standing, State, Topic};
use crate::web::{later, link};
use std::rc::Rc;
use yew::prelude::*;

/// Mounts the page in the body, in place of the words that stand there before; on the worker's thread, answers the page.
pub fn run() {
    if worker::is_worker() {
        return worker::serve();
    }
    yew::Renderer::<App>::new().render();
}

/// [`State`] as Yew wants it.
#[derive(Clone, PartialEq)]
struct Page(Rc<State>);

impl Reducible for Page {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let answers = action == Action::Answer;
        let reduce = move || Rc::new(Page(Rc::new(self.0.reduce(action))));
        match answers {
            true => pace::timed(reduce),
            false => reduce(),
        }
    }
}

/// Has the answer been painted? All else waits for it. That to the bare address stands in the document.
#[hook]
fn use_begun() -> bool {
    let begun = use_state_eq(|| address::fragment().is_empty());
    let setter = begun.setter();
    use_effect_with((), move |()| {
        let soon = after_paint(move || setter.set(true));
        move || drop(soon)
    });
    *begun
}

#[component]
fn App() -> Html {
    let page = use_reducer_eq(|| Page(Rc::new(State::open(&address::fragment()))));
    let act = {
        let dispatcher = page.dispatcher();
        use_callback((), move |action, ()| dispatcher.dispatch(action))
    };
    {
        let act = act.clone();
        use_effect_with((), move |()| {
            let listener = address::on_fragment(move |fragment| act.emit(Action::Open(fragment)));
            move || drop(listener)
        });
    }
    use_effect_with(
        (page.0.scenario.clone(), page.0.topic),
        move |(scenario, topic)| {
            if *topic != Topic::Opened {
                address::write_soon(link::write(scenario), *topic);
            }
        },
    );

    {
        let act = act.clone();
        let awaited = page.0.answer.standing == Standing::Awaited;
        let needs_more = awaited && later::is_awaited_by(&page.0.scenario);
        // The newest input is answered; what comes while one waits is answered with it.
        use_effect_with((awaited, needs_more), move |(awaited, needs_more)| {
            let needs_more = *needs_more;
            let soon = match (*awaited, needs_more) {
                (false, _) => None,
                // In this very frame.
                (true, false) if pace::is_quick() => {
                    act.emit(Action::Answer);
                    None
                }
                (true, _) => Some(after_paint(move || match needs_more {
                    true => later::when_here(move || act.emit(Action::Answer)),
                    false => act.emit(Action::Answer),
                })),
            };
            move || drop(soon)
        });
    }

    let begun = use_begun();
    let desk = Desk {
        state: page.0.clone(),
        act,
    };
    html! {
        <>
            {header(&desk, begun)}
            <main class={classes!("desk", (!begun).then_some("before-start"))}>
                {notices(&desk)}
                if begun {
                    {scenario_form(&desk)}
                } else {
                    <div class="panel scenario" aria-hidden="true" />
                }
                <div class="answers">
                    {answer(&desk)}
                    if begun {
                        {pinned(&desk)}
                        {columns(&desk)}
                    }
                </div>
            </main>
        </>
    }
}
