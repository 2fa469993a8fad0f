//! Advice for a person: the path through the tree, what each change saves, how far the run can be stretched, and
//! settings that fit.

use std::fmt::Write;

use super::solve::largest_rows;
use super::style::{BAD, DIM, GOOD, HEAD, WARN};
use super::table::{Align, table};
use crate::advise::{Advice, Advised, Answer, Branch, Lever, Question};
use crate::bytes::Bytes;
use crate::estimate::Verdict;
use crate::scenario::{Difference, Scenario};

/// Lays out advice on a scenario, and the settings that fit its card.
pub(super) fn view(scenario: &Scenario, advice: &Advice) -> String {
    let sections = [
        format!("{HEAD}The decision tree, for this run{HEAD:#}\n") + &tree(&advice.tree),
        levers(&advice.levers),
        stretch(advice),
        settings_that_fit(scenario, advice.settings.as_ref()),
    ];
    let sections: Vec<_> = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect();
    sections.join("\n")
}

fn tree(questions: &[Question]) -> String {
    let mut text = String::new();
    for question in questions.iter().filter(|question| question.lit) {
        let (style, word) = match question.answer {
            Answer::Yes => (GOOD, "yes"),
            Answer::No => (BAD, "no"),
            Answer::Open => (WARN, "open"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {} {style}{word}{style:#}: {}\n    {DIM}{} ({}){DIM:#}",
            question.question, question.because, question.fact, question.source
        );
        let open = question.answer == Answer::Open;
        for (word, branch) in [("if so", &question.yes), ("if not", &question.no)] {
            if branch.lit || open {
                tips(&mut text, branch, open.then_some(word));
            }
        }
    }
    text
}

fn tips(text: &mut String, branch: &Branch, word: Option<&str>) {
    for tip in &branch.tips {
        let word = word.map_or_else(String::new, |word| format!("{word}, "));
        let setting = tip
            .setting
            .as_ref()
            .map_or_else(String::new, |setting| format!(" [{setting}]"));
        let _ = writeln!(text, "    -> {word}{}{setting}{}", tip.text, effect(tip));
        let _ = writeln!(
            text,
            "       {DIM}{}; {}{DIM:#}",
            tip.cost.label(),
            tip.side_effect
        );
    }
}

fn effect(tip: &Advised) -> String {
    match (&tip.effect, &tip.refused) {
        (Some(effect), _) => format!(": {}", saves(effect.saves_bytes)),
        (None, Some(reason)) => format!(" ({reason})"),
        (None, None) if tip.scenario.is_none() && tip.changes.is_empty() && tip.setting.is_some() => {
            " (it is so)".into()
        }
        (None, None) => String::new(),
    }
}

fn saves(bytes: i64) -> String {
    let size = Bytes(bytes.unsigned_abs());
    match bytes {
        0 => "saves nothing here".into(),
        1.. => format!("saves {size}"),
        _ => format!("costs {size}"),
    }
}

fn levers(levers: &[Lever]) -> String {
    let rows: Vec<[String; 5]> = levers
        .iter()
        .filter_map(|lever| {
            let effect = lever.effect.as_ref()?;
            let then = match effect.after.verdict {
                Some(Verdict::Fits) => "fits",
                Some(Verdict::Tight) => "tight",
                Some(Verdict::Exceeds) => "does not fit",
                None => "",
            };
            Some([
                Bytes(effect.saves_bytes.unsigned_abs()).to_string(),
                then.into(),
                lever.label.into(),
                changes(&lever.changes),
                lever.cost.label().into(),
            ])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        ("saves", Align::Right),
        ("then it", Align::Left),
        ("change", Align::Left),
        ("setting", Align::Left),
        ("", Align::Left),
    ];
    let refused: String = levers
        .iter()
        .filter_map(|lever| Some(format!("  {}: {}\n", lever.label, lever.refused.as_ref()?)))
        .collect();
    format!("{HEAD}Each change alone{HEAD:#}\n") + &table(columns, &rows) + &refused
}

fn changes(changes: &[Difference]) -> String {
    let changes: Vec<_> = changes
        .iter()
        .map(|Difference { field, from, to }| format!("{field} {from} -> {to}"))
        .collect();
    changes.join(", ")
}

fn stretch(advice: &Advice) -> String {
    let rows = largest_rows(
        &advice.largest,
        advice.model.as_ref(),
        advice.smallest_card.as_ref(),
        advice.cheapest_card.as_ref(),
    );
    let columns = [("", Align::Left), ("", Align::Left), ("", Align::Left)];
    format!("{HEAD}How far it goes with the settings as they are{HEAD:#}\n") + &table(columns, &rows)
}

fn settings_that_fit(scenario: &Scenario, settings: Option<&Scenario>) -> String {
    let Some(settings) = settings else {
        return match scenario.gpu {
            Some(_) => format!("{BAD}No set of known changes brings this run onto the card.{BAD:#}\n"),
            None => String::new(),
        };
    };
    let differences = scenario.differences(settings);
    let words = match differences.is_empty() {
        true => "as they are".to_owned(),
        false => changes(&differences),
    };
    format!(
        "{HEAD}Settings that fit{HEAD:#}\n  {words}\n  link    #{}\n  script  plimsoll script --scenario '#{}'\n",
        settings.to_fragment(),
        settings.to_fragment()
    )
}
