//! One validation: its runs one after the other, each recorded before the next starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::chosen::Chosen;
use super::counters::Cards;
use super::journal::Journal;
use super::program::{Programs, find_python};
use super::progress::Progress;
use super::runner::Runner;
use super::view::{self, Shown};
use super::{ValidateArgs, minutes, share};
use crate::advise::solve::{Quantity, largest};
use crate::catalog;
use crate::cli::{Exit, Problems, Report};
use crate::scenario::{Scenario, Stack};
use crate::validate::{Bisection, Dimension, Outcome, Record, Run, Weights};

/// Everything that a validation needs, made ready.
pub(super) struct Campaign<'a> {
    args: &'a ValidateArgs,
    journal: Journal,
    programs: Programs,
    cards: Option<Cards>,
    stop: Arc<AtomicBool>,
    began: Instant,
    budget: Option<Duration>,
    limit: Duration,
    /// Stacks that lack a package, and need not be tried again.
    lacking: Vec<Stack>,
    warnings: Vec<String>,
    errors: Vec<String>,
    /// Records that could not be written, as lines.
    unwritten: String,
    /// No further run makes sense.
    over: Option<Exit>,
}

impl<'a> Campaign<'a> {
    /// Opens the file of records, finds Python, looks for the card.
    ///
    /// # Errors
    /// A sentence for what is missing.
    pub fn prepare(args: &'a ValidateArgs) -> Result<Self, Problems> {
        let began = Instant::now();
        let out = args.out.display();
        let journal =
            Journal::open(&args.out).map_err(|error| Problems::one("out", format!("{out}: {error}")))?;
        if !journal.records.is_empty() && !args.resume {
            return Err(Problems::one(
                "out",
                format!(
                    "{out} holds {} records already; go on with --resume, or name another file",
                    journal.records.len()
                ),
            ));
        }
        let python = find_python(args.python.as_deref()).map_err(|error| Problems::one("python", error))?;
        let programs = Programs::write(python).map_err(|error| {
            Problems::one("temporary folder", format!("{error}; TMPDIR may name another"))
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stop);
        let mut warnings = Vec::new();
        if let Err(error) = ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)) {
            warnings.push(format!("Ctrl-C will not be waited for: {error}"));
        }
        if journal.broken > 0 {
            warnings.push(format!(
                "{out}: {} lines are no records and are left alone",
                journal.broken
            ));
        }
        let cards = Cards::open();
        if cards.is_none() {
            warnings.push(
                "NVML is not there: the process is measured by the driver's free memory, which counts what others hold"
                    .into(),
            );
        }
        Ok(Campaign {
            args,
            journal,
            programs,
            cards,
            stop,
            began,
            budget: minutes("minutes", args.minutes)?,
            limit: minutes("limit", Some(args.limit))?.unwrap_or(Duration::MAX),
            lacking: Vec::new(),
            warnings,
            errors: Vec::new(),
            unwritten: String::new(),
            over: None,
        })
    }

    /// Runs what was chosen and shows it.
    ///
    /// # Errors
    /// None but of writing JSON.
    pub fn run(mut self, chosen: Chosen) -> Result<Report, Problems> {
        let mut report = match chosen {
            Chosen::Runs(runs) => self.all(&runs)?,
            Chosen::Boundary(scenario, dimension, weights) => self.boundary(&scenario, dimension, weights)?,
        };
        if let Some(path) = &self.args.share {
            match share::write(path, &self.journal.records) {
                Ok(()) => report.warnings.push(format!(
                    "{}: {} records without names, paths and serial numbers; have a look before you share them",
                    path.display(),
                    self.journal.records.len()
                )),
                Err(error) => self.errors.push(format!("share: {}: {error}", path.display())),
            }
        }
        report.warnings.splice(0..0, self.warnings);
        if !self.unwritten.is_empty() {
            report.text = self.unwritten + &report.text;
        }
        if !self.errors.is_empty() {
            report.exit = Exit::BadInput;
        }
        report.errors.extend(self.errors);
        report.exit = self.over.unwrap_or(report.exit);
        Ok(report)
    }

    fn all(&mut self, runs: &[Run]) -> Result<Report, Problems> {
        let progress = Progress::new(runs.len());
        let mut records = Vec::new();
        for (index, run) in runs.iter().enumerate() {
            if self.args.resume
                && let Some(known) = self.journal.settled(&run.id)
            {
                progress.done(index + 1, &format!("{}  known already", run.id));
                records.push(known.clone());
                continue;
            }
            if self.budget.is_some_and(|budget| self.began.elapsed() >= budget) {
                let left = runs.len() - index;
                self.warnings.push(format!(
                    "the time is over with {left} runs left; go on with --resume"
                ));
                break;
            }
            if self.lacking.contains(&run.scenario.stack) {
                continue;
            }
            if let Some(record) = self.one(run, &progress, index + 1) {
                records.push(record);
            }
            if self.over.is_some() {
                break;
            }
        }
        progress.finish();
        let shown: Vec<_> = records
            .iter()
            .map(|record| Shown::of(record, self.args.tolerance))
            .collect();
        let mut report = match self.args.json {
            true => Report::json(&shown)?,
            false => Report::text(view::view(&shown)),
        };
        if shown.iter().any(|shown| !shown.is_good()) {
            report.exit = Exit::DoesNotFit;
        }
        Ok(report)
    }

    /// Measures one and keeps it. Nothing when there is nothing to keep.
    fn one(&mut self, run: &Run, progress: &Progress, number: usize) -> Option<Record> {
        progress.doing(&run.id, "starting");
        let runner = Runner {
            programs: &self.programs,
            cards: self.cards.as_ref(),
            limit: self.limit,
            history: !self.args.no_history,
            stop: &self.stop,
        };
        let record = runner.measure(run, &today(), |session| progress.doing(&run.id, &session.doing()));
        progress.done(number, &view::line(&record));
        let out = self.args.out.display();
        match &record.outcome {
            Outcome::Interrupted => {
                self.over = Some(Exit::Interrupted);
                self.warnings.push(format!(
                    "stopped; what was measured is in {out}, go on with --resume"
                ));
                return None;
            }
            Outcome::Unusable {
                reason,
                message,
                way_on,
            } if concerns_all(reason) => {
                self.over = Some(Exit::BadInput);
                self.errors.push(format!("{message}; {way_on}"));
                return None;
            }
            Outcome::Unusable { message, way_on, .. } => {
                self.lacking.push(run.scenario.stack);
                let others = "runs of this stack are left out";
                self.errors
                    .push(format!("{}: {message}; {way_on}; {others}", run.scenario.stack));
            }
            Outcome::DeviceLost { message } => {
                self.over = Some(Exit::BadInput);
                self.errors.push(format!(
                    "the card stopped answering ({message}); see nvidia-smi, then go on with --resume"
                ));
            }
            _ => {}
        }
        if let Err(error) = self.journal.append(record.clone()) {
            self.over = Some(Exit::BadInput);
            self.errors.push(format!(
                "{out}: {error}; the record is printed instead: make room, append it, and go on with --resume"
            ));
            self.unwritten += &serde_json::to_string(&record).unwrap_or_default();
            self.unwritten.push('\n');
        }
        Some(record)
    }

    fn boundary(
        &mut self,
        scenario: &Scenario,
        dimension: Dimension,
        weights: Weights,
    ) -> Result<Report, Problems> {
        let scenario = &self.on_this_card(scenario);
        let limit = largest_allowed(scenario, dimension);
        let solved = solved(scenario, dimension);
        let mut search = Bisection::new(solved.unwrap_or(1) / dimension.step(), limit);
        let progress = Progress::new(usize::BITS as usize - limit.leading_zeros() as usize);
        let mut asked = 0;
        while let Some(size) = search.next() {
            let run = Run::new(dimension.at(scenario, size), weights, 1);
            asked += 1;
            let known = self
                .journal
                .settled(&run.id)
                .filter(|_| self.args.resume)
                .cloned();
            let Some(record) = known.or_else(|| self.one(&run, &progress, asked)) else {
                break;
            };
            match record.outcome {
                Outcome::Ran => search.tell(size, true),
                Outcome::OutOfMemory { .. } => search.tell(size, false),
                _ => {
                    self.errors
                        .push(format!("{}: the search ends here", view::line(&record)));
                    break;
                }
            }
            if self.over.is_some() {
                break;
            }
        }
        progress.finish();
        if self.over.is_some() || !self.errors.is_empty() {
            return Ok(Report::default());
        }
        let found = view::Boundary {
            unit: dimension.unit(),
            measured: search.largest().map(|steps| steps * dimension.step()),
            solved,
            runs: asked,
        };
        let mut report = match self.args.json {
            true => Report::json(&found)?,
            false => Report::text(found.text()),
        };
        if !found.is_within(self.args.tolerance) {
            report.exit = Exit::DoesNotFit;
        }
        Ok(report)
    }

    /// The scenario on the card that is here, where NVML tells it and the catalog knows it.
    fn on_this_card(&self, scenario: &Scenario) -> Scenario {
        let here = self.cards.as_ref().and_then(Cards::name);
        let gpu = here
            .and_then(|name| catalog::gpu(&name))
            .map(|gpu| gpu.slug.clone());
        Scenario {
            gpu: gpu.or_else(|| scenario.gpu.clone()),
            compute_capability: None,
            ..scenario.clone()
        }
    }
}

/// Would every other run end the same way?
fn concerns_all(reason: &str) -> bool {
    !matches!(reason, "missing_package" | "wrong_version")
}

/// The largest size in steps that a scenario may have.
fn largest_allowed(scenario: &Scenario, dimension: Dimension) -> u64 {
    let sound = |steps: u64| dimension.at(scenario, steps).problems().is_empty();
    let mut search = Bisection::new(64, 1 << 24);
    while let Some(steps) = search.next() {
        search.tell(steps, sound(steps));
    }
    search.largest().unwrap_or(1)
}

/// The solver's answer; nothing without a card or an estimate.
fn solved(scenario: &Scenario, dimension: Dimension) -> Option<u64> {
    let quantity = match dimension {
        Dimension::Seq => Quantity::Seq,
        Dimension::Batch => Quantity::Batch,
    };
    largest(scenario, quantity).ok()?.value
}

/// The day as `2026-11-21`, in UTC (days to civil date, Howard Hinnant's algorithm).
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let days = (since.as_secs() / 86_400) as i64 + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
