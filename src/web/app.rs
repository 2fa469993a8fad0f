//! The app: one state, the parts of the screen, and the link in the address bar.

use crate::web::browser::{address, worker};
use crate::web::components::{
    AdvicePanel, Breakdown, CardsPanel, Desk, EvidencePanel, MapPanel, QuantPanel, RunIt, TimelinePanel,
    answer, header, notices, phases, pinned, scenario_form,
};
use crate::web::link;
use crate::web::state::{Action, State, Topic};
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
                        <Breakdown ..desk.clone() />
                        if desk.state.answer.last.is_some() {
                            <QuantPanel ..desk.clone() />
                        }
                        <AdvicePanel ..desk.clone() />
                        <EvidencePanel ..desk.clone() />
                    </div>
                    <div class="column">
                        {phases(&desk)}
                        <TimelinePanel ..desk.clone() />
                        <MapPanel ..desk.clone() />
                        <CardsPanel ..desk.clone() />
                        <RunIt ..desk.clone() />
                    </div>
                </div>
            </main>
        </>
    }
}
