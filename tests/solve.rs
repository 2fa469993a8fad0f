//! Inverse answers against linear scans: an answer fits, the next value does not, and no smaller value fails.

#![allow(clippy::unwrap_used)]

use plimsoll::advise::solve::{self, Bound, Quantity, largest};
use plimsoll::catalog;
use plimsoll::estimate::{EstimateError, Verdict, estimate};
use plimsoll::model::HfConfig;
use plimsoll::scenario::{Method, ModelRef, Scenario, WeightFormat};

fn fits(run: &Scenario) -> bool {
    estimate(run).is_ok_and(|estimate| estimate.verdict == Some(Verdict::Fits))
}

#[track_caller]
fn assert_exact(run: &Scenario, quantity: Quantity) -> Option<u64> {
    let answer = largest(run, quantity).unwrap();
    match answer.value {
        Some(value) => {
            assert!(
                fits(&quantity.set(run, value)),
                "{quantity:?} {value} of {}",
                run.to_fragment()
            );
            let next = quantity.set(run, value + 1);
            assert!(!fits(&next), "{quantity:?} {value} + 1 of {}", run.to_fragment());
            assert_eq!(answer.bound == Bound::Memory, next.problems().is_empty());
        }
        None => assert!(
            !fits(&quantity.set(run, 1)),
            "{quantity:?} 1 of {}",
            run.to_fragment()
        ),
    }
    answer.value
}

fn on(model: &str, gpu: &str) -> Scenario {
    Scenario {
        model: ModelRef::Catalog(model.into()),
        gpu: Some(gpu.into()),
        ..Scenario::default()
    }
}

#[test]
fn an_answer_fits_and_the_next_value_does_not() {
    let mut runs = vec![
        on("Qwen/Qwen2.5-0.5B", "gtx-1060-6gb"),
        on("meta-llama/Llama-3.2-1B", "rtx-3060-12gb"),
        on("meta-llama/Llama-3.1-8B", "rtx-4090"),
        on("meta-llama/Llama-3.1-8B", "rtx-3060-12gb"),
    ];
    runs.retain(|run| run.problems().is_empty());
    let mut full = on("meta-llama/Llama-3.2-1B", "rtx-4090");
    full.set_method(Method::Full);
    runs.push(full);
    for run in runs {
        for &quantity in Quantity::ALL {
            if quantity != Quantity::Rank || run.method != Method::Full {
                assert_exact(&run, quantity);
            }
        }
    }
}

/// Two narrow layers, so that a scan over every value takes a moment.
fn narrow() -> Scenario {
    let config = HfConfig {
        model_type: "llama".into(),
        vocab_size: 128_256,
        hidden_size: 1024,
        intermediate_size: 4096,
        num_hidden_layers: 2,
        num_attention_heads: 16,
        ..HfConfig::default()
    };
    Scenario {
        model: ModelRef::Config(Box::new(config)),
        gpu: Some("rtx-3060-12gb".into()),
        batch: 1,
        ..Scenario::default()
    }
}

#[test]
fn a_linear_scan_finds_the_same_answers() {
    let run = narrow();
    for (quantity, run) in [
        (
            Quantity::Batch,
            Scenario {
                seq: 512,
                ..run.clone()
            },
        ),
        (
            Quantity::Batch,
            Scenario {
                seq: 2048,
                liger: true,
                ..run.clone()
            },
        ),
    ] {
        let answer = assert_exact(&run, quantity);
        let scanned = (1..).take_while(|&value| fits(&quantity.set(&run, value))).last();
        assert_eq!(answer, scanned, "{quantity:?}");
    }
    // Every 64th length: an answer lies between the last that fits and the first that does not.
    let answer = assert_exact(&run, Quantity::Seq).unwrap();
    let scanned = (1..)
        .map(|n| n * 64)
        .take_while(|&seq| fits(&Quantity::Seq.set(&run, seq)));
    let scanned = scanned.last().unwrap();
    assert!(
        (scanned..scanned + 64).contains(&answer),
        "{answer} beside {scanned}"
    );
}

#[test]
fn a_value_that_only_the_field_bounds_says_so() {
    let run = Scenario {
        gpu: Some("b200-sxm".into()),
        seq: 16,
        ..narrow()
    };
    let rank = largest(&run, Quantity::Rank).unwrap();
    assert_eq!(rank.value, Some(65_536));
    assert_eq!(
        rank.bound,
        Bound::Limit(
            "rank: 65537 is above 65536: no layer is wider, and a rank above the width adds nothing".into()
        )
    );
    assert_eq!(
        rank.note.as_deref(),
        Some("above the model's width of 1024, where rank adds nothing")
    );
}

#[test]
fn where_not_even_one_fits_there_is_no_answer() {
    let run = on("meta-llama/Llama-3.1-70B-Instruct", "rtx-3060-12gb");
    for &quantity in Quantity::ALL {
        assert_eq!(assert_exact(&run, quantity), None);
    }
}

#[test]
fn without_a_card_nothing_can_be_said_to_fit() {
    let run = Scenario {
        gpu: None,
        ..Scenario::default()
    };
    let error = largest(&run, Quantity::Seq).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gpu: name a card: without one nothing can be said to fit"
    );
    let full = Scenario::for_stack(run.stack, Method::Full);
    assert_eq!(
        largest(&full, Quantity::Rank).unwrap_err().to_string(),
        "rank: full fine-tuning has no adapters"
    );
}

#[test]
fn a_run_that_is_not_modelled_is_refused_with_its_reason() {
    let run = Scenario {
        weights: WeightFormat::Mxfp4,
        ..Scenario::default()
    };
    assert!(matches!(
        largest(&run, Quantity::Seq),
        Err(EstimateError::NotModelled(_))
    ));
    assert!(matches!(solve::cards(&run), Err(EstimateError::NotModelled(_))));
}

#[test]
fn the_smallest_and_the_cheapest_card_are_those_of_a_scan_over_the_catalog() {
    let run = on("meta-llama/Llama-3.2-1B", "rtx-4090");
    let cards = solve::cards(&run).unwrap();
    let alone = |slug: &str| {
        fits(&Scenario {
            gpu: Some(slug.into()),
            ..run.clone()
        })
    };
    let fitting: Vec<_> = catalog::gpus().iter().filter(|gpu| alone(&gpu.slug)).collect();
    assert_eq!(
        cards.iter().filter(|card| card.verdict == Verdict::Fits).count(),
        fitting.len()
    );
    let least = fitting.iter().map(|gpu| gpu.usable_bytes()).min();
    assert_eq!(solve::smallest_card(&cards).map(|card| card.usable_bytes), least);
    let hourly = |slug: &str| {
        let offers = catalog::prices_of(slug).filter_map(|p| Some(p.on_demand? * f64::from(p.gpus)));
        offers.fold(f64::INFINITY, f64::min)
    };
    let cheapest = fitting
        .iter()
        .map(|gpu| hourly(&gpu.slug))
        .fold(f64::INFINITY, f64::min);
    let found = solve::cheapest_card(&cards).and_then(|card| card.offer.clone());
    assert_eq!(found.map(|offer| offer.usd_per_hour), Some(cheapest));
}

#[test]
fn the_largest_model_fits_and_the_next_larger_does_not() {
    let run = on("Qwen/Qwen2.5-7B", "rtx-4090");
    let answer = solve::largest_model(&run, None).unwrap();
    let with = |model: &str| Scenario {
        model: ModelRef::Catalog(model.into()),
        ..run.clone()
    };
    assert!(fits(&with(answer.model.unwrap())));
    assert!(!fits(&with(answer.next.unwrap())));
    let error = solve::largest_model(&run, Some("Qwen2.6"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("family: 'Qwen2.6' is not in the catalog; did you mean 'Qwen"),
        "{error}"
    );
}
