//! `plimsoll explain`: published claims, held against the user's own run.

use clap::Args;

use super::run_args::RunArgs;
use super::scenario_source::Source;
use super::style::{BAD, DIM, GOOD, HEAD, WARN};
use super::{Problems, Report};
use crate::bytes::Bytes;
use crate::claims::{Claim, Judgement, claims};

/// Arguments of `plimsoll explain`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Every number is the difference of two estimates of peak allocated memory."
)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(&self) -> Result<Report, Problems> {
        let Source { scenario, warnings } = self.run.scenario()?;
        let claims = claims(&scenario)?;
        let report = match self.json {
            true => Report::json(&claims)?,
            false => Report::text(claims.iter().map(view).collect::<Vec<_>>().join("\n")),
        };
        Ok(Report { warnings, ..report })
    }
}

fn view(claim: &Claim) -> String {
    let style = match claim.judgement {
        Judgement::Holds | Judgement::Exceeds => GOOD,
        Judgement::FallsShort => BAD,
        Judgement::Open => WARN,
    };
    let here = match &claim.here {
        Some(here) => {
            let word = if here.saved_bytes < 0 { "more" } else { "less" };
            format!(
                "{} {word} ({:.1} %): {} with {}, {} with {}",
                Bytes(here.saved_bytes.unsigned_abs()),
                100.0 * here.share.abs(),
                Bytes(here.without.allocated_bytes),
                here.without.label,
                Bytes(here.with.allocated_bytes),
                here.with.label,
            )
        }
        None => format!("no number: {}", claim.open_because.as_deref().unwrap_or_default()),
    };
    let mut text = format!(
        "{HEAD}{}{HEAD:#}\n  claimed  {} {DIM}({}){DIM:#}\n  here     {here}\n  so it    {style}{}{style:#}\n",
        claim.title,
        claim.published,
        claim.source,
        claim.judgement.label()
    );
    for note in &claim.notes {
        text.push_str(&format!("  - {note}\n"));
    }
    text
}
