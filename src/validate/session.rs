//! One run as it is told: events in, one record out, whatever became of the run.

use super::record::FORMAT;
use crate::bytes::Bytes;

use super::{Event, Machine, Measured, Outcome, PhaseReading, ProcessSource, Record, Run};

/// How a measuring program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself: its exit code, or none when a signal ended it; and the last it printed to standard error.
    Exited(Option<i32>, String),
    /// At its time limit, in seconds.
    TimedOut(u64),
    /// By the user.
    Interrupted,
    /// It did not start: why, and what to do.
    NotStarted(String, String),
}

/// What the card's own counters said from outside while it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Memory in use on the card before the run.
    pub before: Option<u64>,
    /// Highest memory in use on the card.
    pub device: Option<u64>,
    /// Highest memory of the process.
    pub process: Option<u64>,
    /// How often they were read.
    pub samples: u32,
    /// The driver's version.
    pub driver: Option<String>,
    /// Most processes of others that were seen on the card.
    pub others: u32,
    /// The card stopped answering: what was said.
    pub lost: Option<String>,
}

/// One run as it is told.
#[derive(Clone, Debug)]
pub struct Session {
    run: Run,
    machine: Machine,
    uuid: String,
    measured: Measured,
    told: Option<Outcome>,
    last_line: String,
}

/// The phase before a program has told any.
const START: &str = "start";

impl Session {
    /// A run that begins.
    pub fn new(run: Run) -> Self {
        Session {
            run,
            machine: Machine::default(),
            uuid: String::new(),
            measured: Measured::default(),
            told: None,
            last_line: String::new(),
        }
    }

    /// Takes a line of the program's output; what is no event is kept only as the last thing said.
    pub fn line(&mut self, line: &str) {
        match Event::read(line) {
            Some(event) => self.event(event),
            None => self.last_line = line.trim().chars().take(300).collect(),
        }
    }

    /// The card's identifier, once the program has told it.
    pub fn uuid(&self) -> Option<&str> {
        Some(self.uuid.as_str()).filter(|uuid| !uuid.is_empty())
    }

    /// What the program is doing, for a progress line.
    pub fn doing(&self) -> String {
        match self.measured.phases.last() {
            None => START.into(),
            Some(phase) if phase.step == 0 => "loaded".into(),
            Some(phase) => format!("step {}, {} done", phase.step, phase.phase),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Start {
                versions,
                cuda,
                card,
                uuid,
                compute_capability,
                multiprocessors,
                total_bytes,
                system,
                settings,
            } => {
                self.uuid = uuid;
                self.machine = Machine {
                    card,
                    compute_capability,
                    multiprocessors,
                    total_bytes,
                    driver: None,
                    cuda,
                    system,
                    versions,
                    settings,
                };
            }
            Event::Phase(phase) => self.measured.phases.push(phase),
            Event::Step(step) => self.measured.steps.push(step),
            Event::Host {
                pinned_bytes,
                managed_bytes,
            } => {
                self.measured.pinned_bytes = pinned_bytes;
                self.measured.managed_bytes = managed_bytes;
            }
            Event::Breakdown(breakdown) => self.measured.breakdown = Some(breakdown),
            Event::End => self.told = Some(Outcome::Ran),
            Event::OutOfMemory { message, phase, step } => {
                self.told = Some(Outcome::OutOfMemory { phase, step, message })
            }
            Event::Crash {
                error,
                message,
                phase,
            } => {
                self.told = Some(match is_lost(&message) {
                    true => Outcome::DeviceLost { message },
                    false => Outcome::Crashed {
                        error,
                        message,
                        phase,
                    },
                })
            }
            Event::Unusable {
                kind,
                message,
                way_on,
            } => {
                self.told = Some(Outcome::Unusable {
                    reason: kind,
                    message,
                    way_on,
                })
            }
            Event::Refused { message } => self.told = Some(Outcome::Refused { message }),
        }
    }

    /// The record. `date` is the day as `2026-11-21`, `seconds` how long it all took.
    pub fn end(mut self, ending: Ending, watched: &Watched, seconds: f64, date: &str) -> Record {
        let outcome = self.outcome(ending, watched);
        self.measured.seconds = Some((seconds * 1000.0).round() / 1000.0);
        let peak = |of: fn(&PhaseReading) -> u64| {
            let steps = self.measured.phases.iter().filter(|phase| phase.step > 0);
            steps.map(of).max()
        };
        // A run that did not get through has no peak: it would have gone higher.
        if outcome == Outcome::Ran {
            self.measured.peak_allocated_bytes = peak(|phase| phase.peak_allocated_bytes);
            self.measured.peak_reserved_bytes = peak(|phase| phase.peak_reserved_bytes);
        }
        self.add_counters(watched);
        self.machine.driver.clone_from(&watched.driver);
        let mut scenario = self.run.scenario;
        if !self.machine.card.is_empty() {
            // The catalog's card, where it is the same in what decides kernels.
            let own = Some(self.machine.compute_capability.as_str());
            let known = self
                .machine
                .gpu()
                .filter(|gpu| gpu.compute_capability.as_deref() == own);
            scenario.gpu = known.map(|gpu| gpu.slug.clone());
            scenario.compute_capability = match known {
                Some(_) => None,
                None => Some(self.machine.compute_capability.clone()),
            };
            scenario.memory_gib = match known {
                Some(_) => None,
                None => Some(Bytes(self.machine.total_bytes).gib()),
            };
        }
        let mut notes = Vec::new();
        if watched.others > 0 {
            notes.push(format!("{} other processes used the card", watched.others));
        }
        Record {
            record: FORMAT,
            id: self.run.id,
            scenario,
            weights_from: self.run.weights_from,
            outcome,
            machine: self.machine,
            measured: self.measured,
            notes,
            measured_by: concat!("plimsoll ", env!("CARGO_PKG_VERSION")).into(),
            date: date.into(),
        }
    }

    fn outcome(&mut self, ending: Ending, watched: &Watched) -> Outcome {
        if let Some(told) = self.told.take() {
            return told;
        }
        if let Some(message) = &watched.lost {
            return Outcome::DeviceLost {
                message: message.clone(),
            };
        }
        let phase = self.measured.phases.last().map_or(START, |phase| &phase.phase);
        let phase = format!("after {phase}");
        match ending {
            Ending::TimedOut(seconds) => Outcome::TimedOut { seconds, phase },
            Ending::Interrupted => Outcome::Interrupted,
            Ending::NotStarted(message, way_on) => Outcome::Unusable {
                reason: "no_python".into(),
                message,
                way_on,
            },
            Ending::Exited(Some(0), _) => Outcome::Garbled {
                message: std::mem::take(&mut self.last_line),
            },
            Ending::Exited(code, errors) => Outcome::Crashed {
                error: match code {
                    Some(code) => format!("exit code {code}"),
                    None => "ended by a signal".into(),
                },
                message: last_line(&errors),
                phase,
            },
        }
    }

    /// What the process held on the card, by the best counter there is.
    fn add_counters(&mut self, watched: &Watched) {
        let measured = &mut self.measured;
        let used = |free: u64| self.machine.total_bytes.saturating_sub(free);
        let by_driver = measured.phases.iter().map(|phase| used(phase.free_bytes)).max();
        let difference = watched
            .device
            .zip(watched.before)
            .map(|(device, before)| device.saturating_sub(before));
        let known = [
            (watched.process, ProcessSource::NvmlProcess),
            (difference, ProcessSource::NvmlDevice),
            (by_driver, ProcessSource::Driver),
        ];
        for (bytes, source) in known {
            if let Some(bytes) = bytes.filter(|bytes| *bytes > 0) {
                measured.process_bytes = Some(bytes);
                measured.process_source = Some(source);
                break;
            }
        }
        let highest = measured
            .phases
            .iter()
            .map(|phase| phase.peak_reserved_bytes)
            .max();
        measured.context_bytes = match measured.process_source {
            Some(ProcessSource::Driver) => measured
                .phases
                .last()
                .map(|phase| used(phase.free_bytes).saturating_sub(phase.end_reserved_bytes)),
            _ => measured
                .process_bytes
                .zip(highest)
                .map(|(process, reserved)| process.saturating_sub(reserved)),
        };
        measured.device_bytes = watched.device;
        measured.device_before_bytes = watched.before;
        measured.samples = watched.samples;
    }
}

/// Does an error say that the card is gone?
fn is_lost(message: &str) -> bool {
    [
        "fallen off the bus",
        "GPU is lost",
        "device is lost",
        "unknown error",
        "device not ready",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or_default().trim().chars().take(300).collect()
}
