//! What was meant: ranks named things by how close their names are to a text.

/// Spelling below this similarity (0 to 1) is no suggestion.
const LEAST_SIMILARITY: f64 = 0.5;

/// Up to `n` items, best first, ties in the catalog's order. An empty text leaves the order as it is.
pub(super) fn nearest<'a, T>(
    text: &str,
    items: &'a [T],
    n: usize,
    names: impl Fn(&'a T) -> Vec<&'a str>,
) -> Vec<&'a T> {
    let query = words(text);
    let score = |item| {
        names(item)
            .into_iter()
            .map(|name| closeness(&query, &words(name)))
            .fold(0.0, f64::max)
    };
    let mut ranked: Vec<(f64, &T)> = items
        .iter()
        .map(|item| (score(item), item))
        .filter(|(score, _)| *score >= LEAST_SIMILARITY)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(n).map(|(_, item)| item).collect()
}

/// Lower case, with single spaces for whatever is neither letter, digit nor point.
fn words(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '.' {
                c.to_ascii_lowercase()
            } else {
                ' '
            }
        })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// 2 to 3 when every word of the query occurs in the name, the more of the name it covers the higher; else the
/// similarity of spelling, 0 to 1.
fn closeness(query: &str, name: &str) -> f64 {
    if query.split(' ').all(|word| name.contains(word)) {
        return 2.0 + query.len() as f64 / name.len().max(query.len()).max(1) as f64;
    }
    strsim::normalized_damerau_levenshtein(query, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_come_before_parts_and_parts_before_misspellings() {
        let names = ["rtx-4080", "rtx-4090-laptop", "rtx-4090", "h100"];
        let found = nearest("RTX 4090", &names, 9, |name| vec![name]);
        assert_eq!(found, [&"rtx-4090", &"rtx-4090-laptop", &"rtx-4080"]);
    }

    #[test]
    fn hostile_text_is_only_text() {
        let long = "é€".repeat(300);
        for text in ["", " ", "\u{0}", "((((", "🚀", long.as_str()] {
            nearest(text, &["rtx-4090"], 3, |name| vec![name]);
        }
    }
}
