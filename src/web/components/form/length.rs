//! The sequence length: a slider over the usual lengths, beside the number.

use super::number::{Number, number};
use super::step::Step;
use crate::web::components::desk::Desk;
use crate::web::state::{Action, Field};
use crate::words::count;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// The slider's lengths, in tokens.
const LENGTHS: [u64; 20] = [
    128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768,
    49_152, 65_536, 98_304, 131_072,
];

fn nearest(length: u64) -> usize {
    LENGTHS
        .partition_point(|step| *step < length)
        .min(LENGTHS.len() - 1)
}

/// Tokens per sequence.
pub fn length(desk: &Desk) -> Html {
    let seq = desk.state.scenario.seq;
    let oninput = desk.act.reform(|event: InputEvent| {
        let place: usize = event
            .target_unchecked_into::<HtmlInputElement>()
            .value()
            .parse()
            .unwrap_or(0);
        Action::Type(Field::Seq, LENGTHS[place.min(LENGTHS.len() - 1)].to_string())
    });
    let slider = html! {
        <input type="range" class="slider" aria-label="Sequence length" min="0"
            max={(LENGTHS.len() - 1).to_string()} value={nearest(seq).to_string()}
            aria-valuetext={format!("{} tokens", count(seq))} {oninput} />
    };
    let shown = Number {
        field: Field::Seq,
        label: "Sequence length",
        note: "tokens per sequence: activations and logits grow with it".into(),
        value: seq,
        step: Step::Double,
        testid: "seq",
    };
    number(desk, shown, slider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slider_stands_at_its_own_lengths_and_next_to_others() {
        for (i, length) in LENGTHS.into_iter().enumerate() {
            assert_eq!(nearest(length), i);
        }
        assert_eq!(nearest(0), 0);
        assert_eq!(nearest(2000), nearest(2048));
        assert_eq!(nearest(u64::MAX), LENGTHS.len() - 1);
    }
}
