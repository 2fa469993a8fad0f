//! Name a run, read whether it fits.

use crate::page::on_page;
use serde_json::json;

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_first_visit_is_answered_without_a_question() {
    on_page("", |page| {
        let answer = page.answer();
        assert!(!answer.verdict.is_empty());
        assert!(
            0 < answer.allocated && answer.allocated <= answer.reserved && answer.reserved < answer.process
        );
        for quantity in ["allocated", "reserved", "process"] {
            assert!(
                page.text(quantity).ends_with("GiB"),
                "'{}' names its unit",
                page.text(quantity)
            );
        }
        let bars = page.run(
            "return document.querySelectorAll('[data-testid=quant-chart] rect').length",
            json!([]),
        );
        assert!(bars.as_u64() >= Some(4), "the chart has bars, not {bars}");
        assert_eq!(
            page.run("return !!document.getElementById('before-start')", json!([])),
            false
        );
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn another_model_changes_the_answer_and_the_chart() {
    on_page("", |page| {
        let (answer, chart) = (page.answer(), page.markup("quant-chart"));
        page.type_into("model-input", "Qwen/Qwen2.5-0.5B");
        page.until("the answer changes", || page.answer() != answer);
        page.until("the chart changes", || page.markup("quant-chart") != chart);
        page.until("the address names the model", || {
            page.fragment().contains("Qwen2.5-0.5B")
        });
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn every_setting_that_costs_memory_changes_the_answer() {
    on_page("", |page| {
        for (part, value) in [
            ("method", "lora"),
            ("weights", "nf4"),
            ("seq", "4096"),
            ("batch", "3"),
            ("rank", "64"),
            ("optimizer", "adamw_8bit"),
            ("checkpointing", "none"),
            ("attention", "eager"),
        ] {
            let answer = page.answer();
            page.set(part, value);
            page.until(&format!("{part}={value} changes the answer"), || {
                page.answer() != answer
            });
        }
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn another_card_changes_the_verdict_alone() {
    on_page("", |page| {
        let before = page.answer();
        page.type_into("gpu-input", "h200-sxm-141gb");
        page.until("the verdict changes", || page.text("verdict") != before.verdict);
        page.type_into("gpu-input", "rtx-4090");
        page.until("the verdict is back", || page.text("verdict") == before.verdict);
        assert_eq!(page.answer(), before);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn nonsense_is_told_at_its_field_and_the_last_answer_stays() {
    on_page("", |page| {
        let before = page.answer();
        page.type_into("model-input", "meta-llama/Lama-3.1-8B");
        page.until("the problem is told", || page.has("problem"));
        let problem = page.text("problem");
        assert!(
            problem.contains("Llama-3.1-8B"),
            "'{problem}' suggests the nearest"
        );
        assert_eq!(page.answer(), before);
        page.type_into("model-input", "meta-llama/Llama-3.1-8B");
        page.until("the problem is gone", || !page.has("problem"));
        assert_eq!(page.answer(), before);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn numbers_that_cannot_be_are_refused_by_name() {
    on_page("", |page| {
        let before = page.answer();
        for (part, value, well) in [
            ("seq", "0", "2048"),
            ("rank", "0", "16"),
            ("batch", "99999999999999999999", "2"),
            ("batch", "-1", "2"),
        ] {
            page.set(part, value);
            page.until(&format!("{part}={value} is refused"), || page.has("problem"));
            assert_eq!(page.answer(), before, "{part}={value}");
            page.set(part, well);
            page.until(&format!("{part}={well} is accepted"), || !page.has("problem"));
            assert_eq!(page.answer(), before, "{part}={well}");
        }
    });
}
