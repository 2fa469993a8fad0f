//! Estimates held against measurements: rows of measured runs in, errors of the estimate out.
//!
//! A file holds one JSON object a line. Each kind of row is a file of this module that knows its own fields and turns
//! them into a [`Scenario`] and what was measured; [`row::KINDS`] lists them. A row that the model cannot express is
//! refused with a reason and counts in the open; a line that is no row at all is a [`LineError`].
//!
//! The flow: [`read`] a file into rows, [`RowScore::of`] estimates each, [`Summary::of`] counts them.

mod accuracy;
mod config_class;
mod draws;
mod fields;
mod oracle;
mod published;
mod record;
mod report;
mod row;
mod row_score;
mod statistics;
mod summary;
mod unsloth;

pub use accuracy::{Errors, Group, groups};
pub use report::{Report, SourceMean};
pub use row::{LineError, Measured, MeasuredVerdict, Origin, Refusal, Row, read};
pub use row_score::{IntervalScore, Pair, Quantities, RowScore, Status, VerdictScore};
pub use statistics::{ErrorStatistics, WorstRow};
pub use summary::{IntervalSummary, Refused, Summary, VerdictSummary};

#[cfg(doc)]
use crate::scenario::Scenario;
