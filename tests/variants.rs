//! Small runs of every variant (kernels, masks, caches, optimizers, storages), against what the real libraries allocated.

#![allow(clippy::unwrap_used)]

use plimsoll::score::{self, RowScore};

#[test]
fn small_runs_of_every_variant_are_equal_to_the_byte() {
    let rows = include_bytes!("fixtures/oracle/variants.jsonl");
    let (rows, errors) = score::read("variants.jsonl", rows);
    assert_eq!(errors, []);
    for row in rows {
        let score = RowScore::of(&row, "variants.jsonl");
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
