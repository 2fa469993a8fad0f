//! The app: one state, the parts of the screen, and the link in the address bar.

use crate::web::browser::{address, after_paint, worker};
use crate::web::components::{
    Desk, advice_panel, answer, breakdown, cards_panel, evidence_panel, header, map_panel, notices, phases,
    pinned, quant_panel, run_it, scenario_form, timeline_panel,
};
use crate::web::link;
use crate::web::state::{Action, Standing, State, Topic};
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
        Rc::new(Page(Rc::new(self.0.reduce(action))))
    }
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
        // The newest input is answered; what comes while one waits is answered with it.
        use_effect_with(awaited, move |awaited| {
            let soon = awaited.then(|| after_paint(move || act.emit(Action::Answer)));
            move || drop(soon)
        });
    }

    let panels = Desk {
        state: use_answered(&page.0),
        act: act.clone(),
    };
    let desk = Desk {
        state: page.0.clone(),
        act,
    };
    html! {
        <>
            {header(&desk)}
            <main class="desk">
                {notices(&desk)}
                {scenario_form(&desk)}
                <div class="answers">
                    {answer(&desk)}
                    {pinned(&desk)}
                    <div class="column">
                        {breakdown(&panels)}
                        if panels.state.answer.last.is_some() {
                            {quant_panel(&panels)}
                        }
                        {advice_panel(&panels)}
                        {evidence_panel(&panels)}
                    </div>
                    <div class="column">
                        {phases(&panels)}
                        {timeline_panel(&panels)}
                        {map_panel(&panels)}
                        {cards_panel(&panels)}
                        {run_it(&panels)}
                    </div>
                </div>
            </main>
        </>
    }
}

/// The state for what stands below the answer: not until there is an answer, and a frame after it, so that the answer is
/// on screen first.
#[hook]
fn use_answered(now: &Rc<State>) -> Rc<State> {
    let shown = use_state(|| now.clone());
    let setter = shown.setter();
    use_effect_with(now.clone(), move |now| {
        let awaited = now.answer.standing == Standing::Awaited;
        let now = now.clone();
        let soon = (!awaited).then(|| after_paint(move || setter.set(now)));
        move || drop(soon)
    });
    (*shown).clone()
}
