//! Where an axis of memory is marked: powers of two, as memory is sold.

/// Marks from 0 up to `end` GiB, evenly spaced by a power of two, not more than `most` of them beside the 0.
/// Empty when `end` is not a positive number.
pub fn gib_ticks(end: f64, most: usize) -> Vec<f64> {
    if !(end.is_finite() && end > 0.0) || most == 0 {
        return Vec::new();
    }
    let mut step = 2f64.powi(-10);
    while end / step > most as f64 {
        step *= 2.0;
    }
    (0..=most)
        .map(|i| i as f64 * step)
        .take_while(|tick| *tick <= end)
        .collect()
}

/// A mark's name: `0`, `0.25`, `8`.
pub fn tick_label(gib: f64) -> String {
    let text = format!("{gib:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_spaced_by_powers_of_two() {
        assert_eq!(gib_ticks(24.5, 6), [0.0, 8.0, 16.0, 24.0]);
        assert_eq!(gib_ticks(24.0, 3), [0.0, 8.0, 16.0, 24.0]);
        assert_eq!(gib_ticks(1.2, 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(gib_ticks(600.0, 6), [0.0, 128.0, 256.0, 384.0, 512.0]);
    }

    #[test]
    fn there_are_never_more_ticks_than_asked_for() {
        for tenths in 1..5000 {
            let ticks = gib_ticks(f64::from(tenths) / 10.0, 5);
            assert!(ticks.len() <= 6 && ticks.len() >= 3, "{tenths}: {ticks:?}");
        }
    }

    #[test]
    fn an_axis_without_length_has_no_ticks() {
        assert!(gib_ticks(0.0, 5).is_empty());
        assert!(gib_ticks(f64::NAN, 5).is_empty());
        assert!(gib_ticks(f64::INFINITY, 5).is_empty());
        assert!(gib_ticks(8.0, 0).is_empty());
    }

    #[test]
    fn labels_have_no_needless_zeros() {
        assert_eq!(tick_label(0.0), "0");
        assert_eq!(tick_label(0.125), "0.125");
        assert_eq!(tick_label(0.5), "0.5");
        assert_eq!(tick_label(120.0), "120");
    }
}
