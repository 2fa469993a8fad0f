use super::*;
use crate::catalog;
use crate::scenario::{Optimizer, Targets, WeightFormat};

#[test]
fn defaults_are_those_of_the_named_stack_and_method() {
    let read = |text| Scenario::from_fragment(text).scenario;
    assert_eq!(
        read("stack=unsloth"),
        Scenario::for_stack(Stack::Unsloth, Method::Qlora)
    );
    assert_eq!(
        read("method=full&stack=unsloth"),
        Scenario::for_stack(Stack::Unsloth, Method::Full)
    );
    assert_eq!(read(""), Scenario::default());
}

#[test]
fn a_link_can_be_read_by_a_person() {
    let mut run = Scenario::for_stack(Stack::Unsloth, Method::Lora);
    run.gpu = None;
    run.lora.targets = Targets::Modules(vec!["q_proj".into(), "v_proj".into()]);
    run.lora.dropout = 0.05;
    run.optimizer = Optimizer::PagedAdamw8bit;
    run.weights = WeightFormat::Fp8Dynamic;
    let link = "v=1&model=meta-llama/Llama-3.1-8B&stack=unsloth&method=lora&gpu=none&weights=fp8-dynamic\
                &dropout=0.05&targets=q_proj,v_proj&optimizer=paged_adamw_8bit";
    assert_eq!(run.to_fragment(), link);
    assert_eq!(Scenario::from_fragment(link).scenario, run);
}

#[test]
fn whole_urls_and_bare_fragments_mean_the_same() {
    for text in [
        "seq=777",
        "#seq=777",
        "?seq=777",
        "  #seq=777\n",
        "https://example.org/plimsoll/#seq=777",
        "https://example.org/?embed=1#seq=777",
        "https://example.org/?seq=777",
        "#seq%3D=1&seq=777",
    ] {
        assert_eq!(Scenario::from_fragment(text).scenario.seq, 777, "{text}");
    }
    assert_eq!(Scenario::from_fragment("https://example.org/").notices, [""; 0]);
}

#[test]
fn bad_values_keep_the_default_and_name_their_field() {
    let parsed = Scenario::from_fragment(
        "stack=x&rank=0&seq=-1&batch=18446744073709551616&clip=maybe&alpha=nan&optimizer=adam&model=&grad_accum=3",
    );
    let fields: Vec<_> = parsed
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "stack",
            "rank",
            "seq",
            "batch",
            "clip",
            "alpha",
            "optimizer",
            "model"
        ]
    );
    assert_eq!(parsed.problems[1].problem, "must be at least 1 and at most 65536");
    assert_eq!(
        parsed.problems[3].problem,
        "'18446744073709551616' is not a whole number between 1 and 65536"
    );
    let expected = Scenario {
        grad_accum: 3,
        ..Scenario::default()
    };
    assert_eq!(parsed.scenario, expected);
}

#[test]
fn unknown_keys_versions_and_repetitions_are_noticed() {
    let parsed =
        Scenario::from_fragment("v=2&rnak=8&seq=1&seq=2&config.colour=3&config.hidden_size=8&model=x");
    assert_eq!(
        parsed.notices,
        [
            "'seq' is given twice; the last counts",
            "this link is written in version '2'; it is read as version 1",
            "'rnak' is not a field of a scenario and was passed over; did you mean 'rank'?",
            "'model' was passed over: the link spells out a model's config",
            "'config.colour' is not a field of a scenario and was passed over",
        ]
    );
    assert_eq!((parsed.scenario.seq, parsed.problems.len()), (2, 0));
}

#[test]
fn every_architecture_of_the_catalog_travels_in_a_link() {
    for model in catalog::models() {
        let run = Scenario {
            model: ModelRef::Config(Box::new(model.config.clone())),
            ..Scenario::default()
        };
        let parsed = Scenario::from_fragment(&run.to_fragment());
        assert_eq!(
            (parsed.problems.len(), parsed.notices.len()),
            (0, 0),
            "{}: {parsed:?}",
            model.id
        );
        assert_eq!(parsed.scenario, run, "{}", model.id);
    }
}

#[test]
fn a_bad_field_of_an_inline_model_is_named_and_the_others_kept() {
    let parsed =
        Scenario::from_fragment("config.model_type=llama&config.hidden_size=wide&config.vocab_size=32000");
    assert_eq!(parsed.problems[0].field, "model.hidden_size");
    let ModelRef::Config(config) = parsed.scenario.model else {
        panic!("an inline model");
    };
    assert_eq!((config.vocab_size, config.hidden_size), (32000, 0));
}

#[test]
fn escapes_and_foreign_letters_are_kept() {
    let run = Scenario {
        model: ModelRef::Catalog("a b/ü&=#%+模型".into()),
        ..Scenario::default()
    };
    let fragment = run.to_fragment();
    assert!(
        fragment.contains("model=a%20b/%C3%BC%26%3D%23%25%2B%E6"),
        "{fragment}"
    );
    assert_eq!(Scenario::from_fragment(&fragment).scenario, run);
}
