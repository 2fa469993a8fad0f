//! Decimal numbers as text.

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
}
