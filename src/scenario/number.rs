//! Decimal numbers as text.

/// Reads a decimal number, exactly up to fifteen digits: by JSON's reader, which the page carries anyway (the standard
/// library's, exact beyond what anybody types, would add ten kilobytes of tables). `.5`, `5.` and `+5` are read too.
///
/// ```
/// use plimsoll::scenario::number;
/// assert_eq!(number(" 0.05 "), Some(0.05));
/// assert_eq!(number(".5"), Some(0.5));
/// assert_eq!(number("a few"), None);
/// ```
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let digits = digits.strip_suffix('.').unwrap_or(digits);
    let zero = if digits.starts_with('.') { "0" } else { "" };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    serde_json::from_str(&format!("{sign}{zero}{digits}"))
        .ok()
        .filter(|n: &f64| n.is_finite())
}
