//! Decimal numbers as text.

use serde_json::Number;

/// The largest power of ten that is exact.
const EXACT: i32 = 22;

/// Reads a decimal number, exactly up to fifteen digits and twenty-two places (the standard library's reader, exact beyond
/// what anybody types, would add ten kilobytes of tables to the page). `.5`, `5.` and `+5` are read too.
///
/// ```
/// use plimsoll::scenario::number;
/// assert_eq!(number(" 0.05 "), Some(0.05));
/// assert_eq!(number(".5"), Some(0.5));
/// assert_eq!(number("2e-4"), Some(0.0002));
/// assert_eq!(number("a few"), None);
/// ```
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, whole(exponent)?),
        None => (text, 0),
    };
    let (mut value, mut power, mut some) = (0u64, exponent, false);
    let mut after_point = false;
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                some = true;
                // Digits that no double tells apart only count for their place.
                let room = value < u64::MAX / 100;
                if room {
                    value = value * 10 + u64::from(byte - b'0');
                }
                power += i32::from(!room) - i32::from(after_point);
            }
            b'.' if !after_point => after_point = true,
            _ => return None,
        }
    }
    if !some {
        return None;
    }
    let value = scaled(value as f64, power);
    value.is_finite().then_some(sign * value)
}

/// A whole number of a few digits, with or without a sign.
fn whole(text: &str) -> Option<i32> {
    text.parse().ok().filter(|whole: &i32| whole.abs() < 100_000)
}

/// A number times a power of ten.
fn scaled(mut value: f64, mut power: i32) -> f64 {
    // Nothing larger or smaller is a number, however often one goes on.
    power = power.clamp(-700, 700);
    while power.abs() > EXACT {
        let step = EXACT * power.signum();
        value = scaled(value, step);
        power -= step;
    }
    let tens = (0..power.abs()).fold(1.0, |tens, _| tens * 10.0);
    if power < 0 { value / tens } else { value * tens }
}

/// A number as text, as short as it can be: what [`number`] reads as the same. By whole numbers where it has few digits,
/// since what prints every number weighs many kilobytes in the page.
pub(super) fn number_text(value: f64) -> String {
    const PLACES: u32 = 9;
    let parts = 10u64.pow(PLACES);
    let scaled = (value.abs() * parts as f64).round();
    // Two texts of at most fifteen digits are never the same number.
    if scaled >= 1e15 || scaled / parts as f64 != value.abs() || value.is_sign_negative() {
        return any_number_text(value);
    }
    let scaled = scaled as u64;
    match scaled % parts {
        0 => (scaled / parts).to_string(),
        rest => {
            let digits = format!("{}.{:09}", scaled / parts, rest);
            digits.trim_end_matches('0').into()
        }
    }
}

/// A number of JSON as JSON has it.
pub(super) fn json_number_text(number: &Number) -> String {
    match (number.as_u64(), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (_, Some(value)) if (1e-3..1e6).contains(&value) && value.fract() != 0.0 => number_text(value),
        _ => any_json_number_text(number),
    }
}

#[cold]
#[inline(never)]
fn any_json_number_text(number: &Number) -> String {
    number.to_string()
}

#[cold]
#[inline(never)]
fn any_number_text(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_fifteen_digits_are_exact() {
        for text in [
            "0.1",
            "732.2",
            "123456789012345",
            "0.000123456789012345",
            "1e22",
            "1.5e-7",
            "0",
            "98765.4321",
            "3.141592653589793",
        ] {
            assert_eq!(number(text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn signs_points_and_places_are_read_as_one_writes_them() {
        assert_eq!(number("+5"), Some(5.0));
        assert_eq!(number("-5."), Some(-5.0));
        assert_eq!(number("1E+2"), Some(100.0));
        assert_eq!(number("00012"), Some(12.0));
        assert_eq!(number("0.30000000000000000000000000001"), Some(0.3));
        assert_eq!(
            number("123456789012345678901234567890"),
            Some(1.234_567_890_123_456_8e29)
        );
        assert_eq!(number("1e-400"), Some(0.0));
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        for text in [
            "", ".", "-", "e5", "1e", "1e+", "1.2.3", "1-2", "nan", "inf", "1e999", "0x10", "1 2", "--1",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(
            any in proptest::num::f64::ANY, digits in 0u64..10_000_000_000_000_000, places in 0i32..15,
        ) {
            let short = digits as f64 / 10f64.powi(places);
            for value in [any, short, short.trunc(), digits as f64 / 1e10] {
                proptest::prop_assert_eq!(number_text(value), value.to_string());
                if let Some(number) = Number::from_f64(value) {
                    proptest::prop_assert_eq!(json_number_text(&number), number.to_string());
                }
            }
        }
    }
}
