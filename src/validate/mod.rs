//! Estimates checked by real runs: what is run, what a measuring program tells, the record made of it, and what the
//! record says about the estimate.
//!
//! The flow: [`matrix`] or the user names scenarios, each a [`Run`]; a measuring program (`src/measure/*.py`) runs it and
//! tells [`Event`]s; a [`Session`] makes one [`Record`] of them, whatever became of the run; a [`Comparison`] holds it
//! against the estimate; [`calibrate()`] turns many records into the table that intervals come from. Everything here is
//! pure; processes, files and the card's own counters are at the command line's edge.

mod boundary;
mod calibrate;
mod comparison;
mod event;
mod machine;
mod matrix;
mod mechanism;
mod record;
mod redact;
mod run;
mod session;

pub use boundary::{Bisection, Dimension};
pub use calibrate::{Calibrated, Calibration, LeftOut, Observation, calibrate};
pub use comparison::{Comparison, Line};
pub use event::Event;
pub use machine::Machine;
pub use matrix::{Matrix, matrix};
pub use record::{Breakdown, Measured, Outcome, PhaseReading, ProcessSource, Record, StepReading, Weights};
pub use redact::{Identity, redact};
pub use run::{Run, program_input};
pub use session::{Ending, Session, Watched};
