//! `plimsoll models`: the models of the catalog.

use clap::Args;

use super::table::{Align, table};
use super::{Problems, Report};
use crate::catalog::{self, ListedModel};

/// Arguments of `plimsoll models`.
#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// Words that the model's id or family contains
    filter: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ModelsArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let models: Vec<_> = catalog::models()
            .iter()
            .filter(|model| contains_all(&self.filter, &[&model.id, &model.family]))
            .map(ListedModel::of)
            .collect();
        if models.is_empty() {
            let text = self.filter.join(" ");
            let nearest = catalog::nearest_models(&text, 3);
            return Err(no_match(
                "model",
                &text,
                nearest.iter().map(|model| model.id.as_str()),
            ));
        }
        if self.json {
            return Report::json(&models);
        }
        let rows: Vec<[String; 4]> = models.iter().map(row).collect();
        let columns = [
            ("model", Align::Left),
            ("family", Align::Left),
            ("weights", Align::Right),
            ("supported", Align::Left),
        ];
        Ok(Report::text(table(columns, &rows)))
    }
}

fn row(model: &ListedModel) -> [String; 4] {
    [
        model.id.into(),
        model.family.into(),
        count(model.params),
        match &model.reason {
            None => "yes".into(),
            Some(reason) => format!("no: {reason}"),
        },
    ]
}

/// A number of weights: `8.03 B`, `135 M`.
pub(super) fn count(params: u64) -> String {
    let params = params as f64;
    match params {
        1e9.. => format!("{:.2} B", params / 1e9),
        1e6.. => format!("{:.0} M", params / 1e6),
        _ => format!("{params}"),
    }
}

/// Does one of the names contain each word, upper and lower case alike?
pub(super) fn contains_all(words: &[String], names: &[&str]) -> bool {
    let names = names.join(" ").to_lowercase();
    words
        .iter()
        .flat_map(|word| word.split_whitespace())
        .all(|word| names.contains(&word.to_lowercase()))
}

/// Nothing is called like this; the nearest may be meant.
pub(super) fn no_match<'a>(what: &str, text: &str, nearest: impl Iterator<Item = &'a str>) -> Problems {
    let nearest: Vec<_> = nearest.collect();
    let hint = match nearest.is_empty() {
        true => String::new(),
        false => format!("; the nearest are {}", nearest.join(", ")),
    };
    Problems::one("filter", format!("no {what} matches '{text}'{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_weights_are_short() {
        assert_eq!(count(8_030_261_248), "8.03 B");
        assert_eq!(count(134_515_008), "135 M");
        assert_eq!(count(12), "12");
    }

    #[test]
    fn every_word_of_a_filter_must_be_there() {
        let words = |text: &str| vec![text.to_string()];
        assert!(contains_all(
            &words("LLAMA 8b"),
            &["meta-llama/Llama-3.1-8B", "Llama 3.1"]
        ));
        assert!(!contains_all(
            &words("llama 70b"),
            &["meta-llama/Llama-3.1-8B", "Llama 3.1"]
        ));
        assert!(contains_all(&[], &["anything"]));
    }
}
