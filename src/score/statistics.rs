//! How far estimates are off, over many rows.

use serde::Serialize;

use super::Pair;

/// The row that is furthest off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstRow {
    /// Its name.
    pub id: String,
    /// Its signed error, in percent of the measurement.
    pub error_percent: f64,
}

/// Errors of one quantity, in percent of the measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorStatistics {
    /// Rows that carry the quantity.
    pub n: usize,
    /// Mean of the absolute errors.
    pub mean_absolute_percent: f64,
    /// Median of the absolute errors.
    pub median_absolute_percent: f64,
    /// Mean of the signed errors: positive when estimates are too high.
    pub bias_percent: f64,
    /// The row that is furthest off.
    pub worst: WorstRow,
    /// Share of rows equal to the byte, or to the last digit that the source prints, 0 to 1.
    pub share_equal: f64,
    /// Share of rows within 0.5 %.
    pub share_within_half_percent: f64,
    /// Share of rows within 1 %.
    pub share_within_1_percent: f64,
    /// Share of rows within 5 %.
    pub share_within_5_percent: f64,
    /// Share of rows within 10 %.
    pub share_within_10_percent: f64,
}

impl ErrorStatistics {
    /// Counts named pairs; nothing when there are none.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, Pair)>) -> Option<Self> {
        let rows: Vec<(&str, Pair, f64)> = pairs
            .into_iter()
            .map(|(id, pair)| (id, pair, pair.error_percent()))
            .collect();
        let (worst_id, _, worst_error) = rows
            .iter()
            .max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()))
            .copied()?;
        let share = |good: &dyn Fn(&Pair, f64) -> bool| {
            rows.iter()
                .filter(|(_, pair, error)| good(pair, error.abs()))
                .count() as f64
                / rows.len() as f64
        };
        let mean = |sum: f64| sum / rows.len() as f64;
        Some(ErrorStatistics {
            n: rows.len(),
            mean_absolute_percent: mean(rows.iter().map(|row| row.2.abs()).sum()),
            median_absolute_percent: median(rows.iter().map(|row| row.2.abs()).collect()),
            bias_percent: mean(rows.iter().map(|row| row.2).sum()),
            worst: WorstRow {
                id: worst_id.into(),
                error_percent: worst_error,
            },
            share_equal: share(&|pair, _| pair.is_equal()),
            share_within_half_percent: share(&|_, error| error <= 0.5),
            share_within_1_percent: share(&|_, error| error <= 1.0),
            share_within_5_percent: share(&|_, error| error <= 5.0),
            share_within_10_percent: share(&|_, error| error <= 10.0),
        })
    }
}

/// The middle value, or the mean of the two in the middle; of nothing, 0.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or_default();
    match values.len() {
        n if n > 1 && n.is_multiple_of(2) => {
            (values.get(n / 2 - 1).copied().unwrap_or_default() + upper) / 2.0
        }
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(estimated: u64) -> Pair {
        Pair {
            estimated,
            measured: 1000,
            rounding: 0,
        }
    }

    #[test]
    fn errors_are_counted_by_size_and_sign() {
        let pairs = [
            ("a", pair(1000)),
            ("b", pair(1004)),
            ("c", pair(960)),
            ("d", pair(1200)),
        ];
        let counted = ErrorStatistics::of(pairs).unwrap();
        assert_eq!(counted.n, 4);
        assert_eq!(counted.mean_absolute_percent, (0.4 + 4.0 + 20.0) / 4.0);
        assert_eq!(counted.median_absolute_percent, (0.4 + 4.0) / 2.0);
        assert_eq!(counted.bias_percent, (0.4 - 4.0 + 20.0) / 4.0);
        assert_eq!(
            (counted.worst.id.as_str(), counted.worst.error_percent),
            ("d", 20.0)
        );
        assert_eq!(counted.share_equal, 0.25);
        assert_eq!(counted.share_within_half_percent, 0.5);
        assert_eq!(counted.share_within_1_percent, 0.5);
        assert_eq!(counted.share_within_5_percent, 0.75);
        assert_eq!(counted.share_within_10_percent, 0.75);
    }

    #[test]
    fn the_median_of_an_odd_number_of_rows_is_the_middle_one() {
        assert_eq!(median(vec![5.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![3.0]), 3.0);
    }

    #[test]
    fn nothing_counted_gives_nothing() {
        assert_eq!(ErrorStatistics::of([]), None);
    }
}
