//! How wide a text is, without asking a browser: the same layout natively and in the page.

/// System fonts differ; the widest in use (DejaVu Sans, Verdana) is an eighth wider than Helvetica.
const WIDEST: f64 = 1.125;

/// Width in pixels that a text has at most in any common sans-serif font.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

/// As a share of the size: Helvetica's, rounded up to twentieths and widened.
fn advance(letter: char) -> f64 {
    helvetica(letter) * WIDEST
}

fn helvetica(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' | '|' => 0.25,
        ' ' | '.' | ',' | ':' | ';' | '/' | 'f' | 't' | 'I' | '!' => 0.30,
        '-' | '(' | ')' | 'r' | '"' => 0.35,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 0.50,
        'm' | 'M' | '—' => 0.85,
        'w' | 'C' | 'D' | 'H' | 'N' | 'R' | 'U' => 0.75,
        'G' | 'O' | 'Q' => 0.80,
        'W' | '@' => 1.00,
        'A'..='Z' => 0.68,
        letter if letter.is_ascii() => 0.57,
        _ => 1.00,
    }
}

/// The text, or as much of its beginning as fits with an ellipsis behind it.
pub fn elide(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room - advance('…') * size;
    let kept: String = text
        .chars()
        .take_while(|letter| {
            left -= advance(*letter) * size;
            left >= 0.0
        })
        .collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_left_alone() {
        assert_eq!(elide("nf4", 12.0, 100.0), "nf4");
    }

    #[test]
    fn a_text_that_does_not_fit_ends_in_an_ellipsis() {
        let short = elide("needs a card of compute capability 8.9", 12.0, 80.0);
        assert!(
            short.ends_with('…') && text_width(&short, 12.0) <= 80.0,
            "{short}"
        );
        assert_eq!(elide("anything", 12.0, 0.0), "…");
    }
}
