use super::*;
use crate::scenario::{Method, Optimizer, WeightFormat};

fn after(actions: impl IntoIterator<Item = Action>) -> State {
    actions.into_iter().fold(State::open(""), |state, action| {
        state.reduce(action).reduce(Action::Answer)
    })
}

fn typed(field: Field, text: &str) -> Action {
    Action::Type(field, text.into())
}

fn chosen(setting: Setting, slug: &str) -> Action {
    Action::Choose(setting, slug.into())
}

#[test]
fn a_first_visit_has_an_answer() {
    let state = State::open("");
    assert_eq!(state.scenario, Scenario::default());
    assert_eq!(state.answer.standing, Standing::Current);
    assert!(state.notices.is_empty());
}

#[test]
fn what_is_typed_is_answered() {
    let state = after([typed(Field::Seq, "4096")]);
    assert_eq!(state.scenario.seq, 4096);
    assert_eq!(state.answer.standing, Standing::Current);
    assert_ne!(state.answer, State::open("").answer);
}

#[test]
fn what_is_typed_is_shown_before_it_is_answered() {
    let first = State::open("");
    let typed = first.reduce(typed(Field::Seq, "4096"));
    assert_eq!(typed.answer.standing, Standing::Awaited);
    assert_eq!(typed.answer.last, first.answer.last);
    let answered = typed.reduce(Action::Answer);
    let estimate = &answered.answer.last.as_ref().unwrap().1;
    let soon = typed.answer.allocated_bytes(estimate);
    assert!(soon <= estimate.allocated_bytes && soon > estimate.allocated_bytes / 100 * 99);
    assert_eq!(
        answered.answer.allocated_bytes(estimate),
        estimate.allocated_bytes
    );
}

#[test]
fn what_cannot_be_read_stays_in_its_field_and_the_last_answer_on_screen() {
    let good = after([typed(Field::Batch, "3")]);
    let bad = good.reduce(typed(Field::Batch, "three"));
    assert_eq!(bad.text(Field::Batch), "three");
    assert_eq!(
        bad.problem("batch").as_deref(),
        Some("'three' is not a whole number")
    );
    assert_eq!(bad.answer.last, good.answer.last);
    assert_eq!(bad.answer.standing, Standing::Overtaken);
    assert_eq!(
        bad.reduce(Action::Leave(Field::Batch)).text(Field::Batch),
        "three"
    );
}

#[test]
fn what_can_be_read_but_not_be_stays_too() {
    let bad = after([typed(Field::Rank, "0")]);
    assert_eq!(bad.text(Field::Rank), "0");
    assert!(
        bad.problem("rank")
            .is_some_and(|problem| problem.contains("at least 1"))
    );
    assert_eq!(bad.answer.standing, Standing::Overtaken);
    assert_eq!(bad.all_problems().count(), 1);
}

#[test]
fn putting_it_right_brings_the_answer_back() {
    let state = after([typed(Field::Batch, ""), typed(Field::Batch, "2")]);
    assert_eq!(state.problem("batch"), None);
    assert_eq!(state.answer, State::open("").answer);
}

#[test]
fn a_problem_in_one_field_does_not_touch_the_others() {
    let state = after([
        typed(Field::Batch, "x"),
        typed(Field::Seq, "512"),
        chosen(Setting::Optimizer, "sgd"),
    ]);
    assert_eq!(
        (state.scenario.seq, state.scenario.optimizer),
        (512, Optimizer::Sgd)
    );
    assert_eq!(state.text(Field::Batch), "x");
    assert_eq!(state.problem("seq"), None);
}

#[test]
fn leaving_a_field_shows_the_number_as_it_was_understood() {
    let state = after([typed(Field::Seq, " 4,096 ")]);
    assert_eq!(state.text(Field::Seq), " 4,096 ");
    assert_eq!(state.reduce(Action::Leave(Field::Seq)).text(Field::Seq), "4096");
}

#[test]
fn an_unknown_model_is_told_with_the_nearest() {
    let state = after([Action::Model("meta-llama/Lama-3.1-8B".into())]);
    assert!(
        state
            .problem("model")
            .is_some_and(|problem| problem.contains("meta-llama/Llama-3.1-8B"))
    );
    assert_eq!(state.answer.standing, Standing::Overtaken);
}

#[test]
fn without_a_card_there_is_an_answer_and_no_verdict_to_give() {
    let state = after([Action::Card(None)]);
    assert_eq!(state.scenario.gpu, None);
    assert_eq!(state.problem("gpu"), None);
}

#[test]
fn choosing_weights_or_method_keeps_the_two_together() {
    let lora = after([chosen(Setting::Weights, "bf16")]);
    assert_eq!(
        (lora.scenario.method, lora.scenario.weights),
        (Method::Lora, WeightFormat::Bf16)
    );
    let full = lora.reduce(chosen(Setting::Method, "full"));
    assert_eq!(
        (full.scenario.method, full.scenario.weights),
        (Method::Full, WeightFormat::Bf16)
    );
    let qlora = full.reduce(chosen(Setting::Method, "qlora"));
    assert_eq!(
        (qlora.scenario.method, qlora.scenario.weights),
        (Method::Qlora, WeightFormat::Nf4Dq)
    );
}

#[test]
fn values_that_cannot_be_chosen_say_why() {
    let full = after([chosen(Setting::Method, "full")]);
    assert!(
        full.refusal(Setting::Weights, "nf4")
            .is_some_and(|reason| reason.contains("cannot be trained"))
    );
    assert_eq!(full.refusal(Setting::Weights, "fp32"), None);
    assert!(full.refusal(Setting::Checkpointing, "unsloth").is_some());
}

#[test]
fn what_the_form_asks_of_each_offer_is_all_that_is_wrong_with_it() {
    const SETTINGS: [Setting; 12] = [
        Setting::Stack,
        Setting::Method,
        Setting::Weights,
        Setting::Autocast,
        Setting::Optimizer,
        Setting::Checkpointing,
        Setting::Attention,
        Setting::SdpaBackend,
        Setting::Harness,
        Setting::Float8,
        Setting::AdapterDtype,
        Setting::Loader,
    ];
    for method in ["full", "lora", "qlora"] {
        let state = after([chosen(Setting::Method, method)]);
        for setting in SETTINGS {
            for offer in setting.offers() {
                let asked = super::chosen(&state.scenario, setting, offer.slug).unwrap();
                let of_setting = |problem: &FieldError| problem.field == setting.name();
                let wrong = asked.problems().into_iter().find(of_setting).map(|p| p.problem);
                assert_eq!(
                    state.refusal(setting, offer.slug),
                    wrong,
                    "{setting:?} {}",
                    offer.slug
                );
            }
        }
    }
}

#[test]
fn a_value_that_is_not_offered_changes_nothing() {
    assert_eq!(after([chosen(Setting::Optimizer, "nonsense")]), State::open(""));
}

#[test]
fn a_link_replaces_everything_typed() {
    let state = after([
        typed(Field::Batch, "x"),
        Action::Open("#seq=1024&colour=red".into()),
    ]);
    assert_eq!(state.text(Field::Batch), "2");
    assert_eq!(state.scenario.seq, 1024);
    assert_eq!(state.notices.len(), 1);
    assert!(state.reduce(Action::DismissNotices).notices.is_empty());
}

#[test]
fn notices_stay_until_they_are_dismissed() {
    let state = State::open("#colour=red").reduce(typed(Field::Seq, "512"));
    assert_eq!(state.notices.len(), 1);
}

#[test]
fn no_link_and_no_text_panics() {
    for hostile in [
        "#",
        "#%ff%fe",
        "#seq=0&batch=0",
        "#{\"a\":1}",
        "#model=<script>",
        "🚀",
        "\u{0}",
    ] {
        let state = State::open(hostile);
        for field in Field::ALL {
            let _ = state.reduce(typed(field, hostile));
        }
    }
}
