//! Architectures: their parameters are the catalog's, and their replay is the libraries' to the byte.

#![allow(clippy::unwrap_used)]

use plimsoll::catalog;
use plimsoll::model::Architecture;
use plimsoll::score::{self, RowScore};

/// The weights of a model's language part, where a forward pass is written for it.
#[test]
fn parameters_of_every_architecture_are_those_of_the_catalog_to_the_unit() {
    let mut written = 0;
    for model in catalog::models() {
        if let Ok(architecture) = Architecture::from_config(&model.config) {
            written += 1;
            assert_eq!(architecture.parameters(), model.text_params, "{}", model.id);
        }
    }
    assert!(written >= 100, "{written} of {}", catalog::models().len());
}

/// Small models of every architecture, run by the real libraries.
#[test]
fn small_models_of_every_architecture_take_what_they_took() {
    let rows = include_bytes!("fixtures/oracle/architectures.jsonl");
    let (rows, errors) = score::read("architectures.jsonl", rows);
    assert_eq!(errors, []);
    for row in rows {
        let score = RowScore::of(&row, "architectures.jsonl");
        assert_eq!(score.reason, None, "{}", row.id);
        for (name, quantity) in [
            ("allocated", &score.quantities.allocated),
            ("reserved", &score.quantities.reserved),
        ] {
            let quantity = quantity.as_ref().unwrap();
            assert_eq!(quantity.estimated, quantity.measured, "{}: {name}", row.id);
        }
    }
}
