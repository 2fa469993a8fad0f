//! `plimsoll solve`: how far a run can be stretched, and which cards it fits.

use clap::{Args, ValueEnum};

use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::table::{Align, table};
use super::{Exit, Problems, Report};
use crate::advise::solve::{self, Bound, CardFit, Largest, ModelFit, Sought};
use crate::bytes::Bytes;

/// Arguments of `plimsoll solve`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "An answer is exact: it fits, also at the upper end of the interval, and the next does not."
)]
pub(super) struct SolveArgs {
    /// What to solve for; without one, everything
    #[arg(value_enum)]
    wanted: Vec<Wanted>,
    /// The family of the catalog to look for the largest model in; without one that of the model
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// The longest sequence
    Seq,
    /// The largest micro-batch
    Batch,
    /// The largest rank
    Rank,
    /// The largest model of the family
    Model,
    /// The smallest and the cheapest card
    Card,
}

impl From<Wanted> for Sought {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Seq => Sought::Seq,
            Wanted::Batch => Sought::Batch,
            Wanted::Rank => Sought::Rank,
            Wanted::Model => Sought::Model,
            Wanted::Card => Sought::Card,
        }
    }
}

impl SolveArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source { scenario, warnings } = self.run.scenario()?;
        let wanted: Vec<Sought> = self.wanted.iter().map(|&wanted| wanted.into()).collect();
        let answers = solve::answers(&scenario, &wanted, self.family.as_deref())?;
        let report = match self.json {
            true => Report::json(&answers)?,
            false => {
                let rows = largest_rows(
                    &answers.largest,
                    answers.model.as_ref(),
                    answers.smallest_card.as_ref(),
                    answers.cheapest_card.as_ref(),
                );
                let columns = [("", Align::Left), ("", Align::Left), ("", Align::Left)];
                Report::text(table(columns, &rows))
            }
        };
        let none = answers.largest.iter().any(|answer| answer.value.is_none());
        Ok(Report {
            warnings,
            exit: if none { Exit::DoesNotFit } else { Exit::Ok },
            ..report
        })
    }
}

/// Question, answer and what else there is to say, a row each.
pub(super) fn largest_rows(
    largest: &[Largest],
    model: Option<&ModelFit>,
    smallest: Option<&CardFit>,
    cheapest: Option<&CardFit>,
) -> Vec<[String; 3]> {
    let mut rows: Vec<[String; 3]> = largest.iter().map(row).collect();
    if let Some(model) = model {
        let next = model
            .next
            .map_or_else(String::new, |next| format!("{next} does not fit"));
        rows.push([
            format!("largest model of {}", model.family),
            model.model.unwrap_or("none").into(),
            next,
        ]);
    }
    for (question, card) in [("smallest card", smallest), ("cheapest card", cheapest)] {
        if let Some(card) = card {
            rows.push([question.into(), card.gpu.into(), price(card)]);
        }
    }
    rows
}

fn row(answer: &Largest) -> [String; 3] {
    let mut notes = Vec::new();
    if let Some(headroom) = answer.headroom_bytes {
        notes.push(format!("{} to spare", Bytes(headroom.unsigned_abs())));
    }
    if let Bound::Limit(reason) = &answer.bound {
        notes.push(format!("more is not accepted ({reason})"));
    }
    notes.extend(answer.note.clone());
    [
        answer.quantity.label().into(),
        answer
            .value
            .map_or_else(|| "not even 1 fits".into(), |value| value.to_string()),
        notes.join("; "),
    ]
}

fn price(card: &CardFit) -> String {
    let room = Bytes(card.headroom_bytes.unsigned_abs());
    match &card.offer {
        Some(offer) => {
            let whole = match offer.gpus {
                1 => String::new(),
                cards => format!(" for all {cards} cards of the instance"),
            };
            format!(
                "{room} to spare, ${:.2} an hour{whole} ({} {}, {})",
                offer.usd_per_hour, offer.cloud, offer.instance, offer.date
            )
        }
        None => format!("{room} to spare, no price known"),
    }
}
