//! What was meant: ranks named things by how close their names are to a text.

use crate::sort::sort_by;

/// Spelling below this similarity (0 to 1) is no suggestion.
const LEAST_SIMILARITY: f64 = 0.5;

/// Up to `n` items, best first, ties in the catalog's order. An empty text leaves the order as it is. `score` gives an
/// item the best closeness of its names.
pub(super) fn nearest<'a, T>(
    text: &str,
    items: &'a [T],
    n: usize,
    score: impl Fn(&'a T, &dyn Fn(&str) -> f64) -> f64,
) -> Vec<&'a T> {
    let query = words(text);
    let closeness = |name: &str| closeness(&query, &words(name));
    let scores = items.iter().map(|item| score(item, &closeness)).collect();
    best(scores, n)
        .into_iter()
        .filter_map(|index| items.get(index))
        .collect()
}

/// Places of the `n` highest scores.
fn best(scores: Vec<f64>, n: usize) -> Vec<usize> {
    let mut ranked: Vec<_> = scores
        .into_iter()
        .enumerate()
        .filter(|(_, score)| *score >= LEAST_SIMILARITY)
        .collect();
    sort_by(&mut ranked, |a, b| b.1.total_cmp(&a.1));
    ranked.into_iter().take(n).map(|(index, _)| index).collect()
}

/// Lower case, with single spaces for whatever is neither letter, digit nor point.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '.' || !c.is_ascii() {
            words.push(c.to_ascii_lowercase());
        } else if !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    words
}

/// 2 to 3 when every word of the query occurs in the name, the more of the name it covers the higher; else the
/// similarity of spelling, 0 to 1.
fn closeness(query: &str, name: &str) -> f64 {
    if query.split(' ').all(|word| name.contains(word)) {
        return 2.0 + query.len() as f64 / name.len().max(query.len()).max(1) as f64;
    }
    similarity(query, name)
}

/// How alike two texts are spelt: 1 when equal, less by each letter changed, left out, added or swapped.
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    let longest = a.chars().count().max(b.chars().count()).max(1);
    1.0 - strsim::osa_distance(a, b) as f64 / longest as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_come_before_parts_and_parts_before_misspellings() {
        let names = ["rtx-4080", "rtx-4090-laptop", "rtx-4090", "h100"];
        let found = nearest("RTX 4090", &names, 9, |name, closeness| closeness(name));
        assert_eq!(found, [&"rtx-4090", &"rtx-4090-laptop", &"rtx-4080"]);
    }

    #[test]
    fn hostile_text_is_only_text() {
        let long = "é€".repeat(300);
        for text in ["", " ", "\u{0}", "((((", "🚀", long.as_str()] {
            nearest(text, &["rtx-4090"], 3, |name, closeness| closeness(name));
        }
    }
}
