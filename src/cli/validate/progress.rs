//! Where a validation is: run, elapsed, remaining. A bar on a terminal; else one line a run, so that logs stay short.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or lines.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
}

impl Progress {
    /// For so many runs.
    pub fn new(total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let style = ProgressStyle::with_template(
                "{bar:24} run {human_pos} of {human_len}  elapsed {elapsed}, remaining {eta}  {wide_msg}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress { bar, total }
    }

    /// What is going on.
    pub fn doing(&self, id: &str, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{id}: {what}"));
        }
    }

    /// A run has ended: `line` says how.
    pub fn done(&self, number: usize, line: &str) {
        match &self.bar {
            Some(bar) => {
                bar.println(line);
                bar.set_position(number as u64);
            }
            None => eprintln!("{number}/{}  {line}", self.total),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
