//! Runs one measuring program to its end, whatever that is, and makes a record of what it told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{process::Stdio, thread};

use process_wrap::std::{ChildWrapper, CommandWrap};

use super::counters::Cards;
use super::program::Programs;
use crate::validate::{Ending, Record, Run, Session, Watched, program_input};

/// What stays the same from run to run.
pub(super) struct Runner<'a> {
    pub programs: &'a Programs,
    pub cards: Option<&'a Cards>,
    /// Time limit of one run.
    pub limit: Duration,
    /// Keep the allocator's history, for the breakdown at the peak.
    pub history: bool,
    /// The user wants to stop.
    pub stop: &'a AtomicBool,
}

/// How often the card's counters are read, and the clock.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long output is waited for once the program has ended: something it started may still hold its pipes.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// More of one line is no event.
const LONGEST_LINE: u64 = 4 << 20;
/// What is kept of standard error.
const LONGEST_TAIL: usize = 16 << 10;

enum Said {
    Line(String),
    Error(Vec<u8>),
    Closed,
}

impl Runner<'_> {
    /// Runs one. `told` hears of every event, for a progress line.
    pub fn measure(&self, run: &Run, date: &str, mut told: impl FnMut(&Session)) -> Record {
        let mut session = Session::new(run.clone());
        let began = Instant::now();
        let mut watch = self.cards.map(Cards::watch);
        let input = match program_input(run, self.history) {
            Ok(input) => input.to_string(),
            Err(message) => {
                let refused = serde_json::json!({"event": "refused", "message": message});
                session.line(&refused.to_string());
                return session.end(
                    Ending::Exited(Some(0), String::new()),
                    &Watched::default(),
                    0.0,
                    date,
                );
            }
        };
        let ending = match self.spawn(run, input) {
            Err(error) => Ending::NotStarted(
                format!("the measuring program does not start: {error}"),
                "name a Python with --python".into(),
            ),
            Ok((mut child, said)) => {
                let mut tail = Vec::new();
                let mut closed = 0;
                let mut exited: Option<(Option<i32>, Instant)> = None;
                let ending = loop {
                    match said.recv_timeout(INTERVAL) {
                        Ok(Said::Line(line)) => {
                            session.line(&line);
                            told(&session);
                        }
                        Ok(Said::Error(text)) => keep(&mut tail, &text),
                        Ok(Said::Closed) => closed += 1,
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => closed = 2,
                    }
                    if let Some(watch) = &mut watch {
                        watch.sample(session.uuid(), child.id());
                    }
                    if exited.is_none() {
                        match child.try_wait() {
                            Ok(Some(status)) => exited = Some((status.code(), Instant::now())),
                            Ok(None) => {}
                            Err(error) => keep(&mut tail, format!("\n{error}").as_bytes()),
                        }
                    }
                    if let Some((code, at)) = exited {
                        if closed >= 2 || at.elapsed() > LAST_WORDS {
                            break Ending::Exited(code, String::from_utf8_lossy(&tail).into_owned());
                        }
                    } else if self.stop.load(Ordering::Relaxed) {
                        break Ending::Interrupted;
                    } else if began.elapsed() > self.limit {
                        break Ending::TimedOut(self.limit.as_secs());
                    }
                };
                // The whole group: also what a program that has ended left behind.
                let _ = child.start_kill();
                if exited.is_none() {
                    let _ = child.wait();
                }
                ending
            }
        };
        let seen = watch.map(|watch| watch.seen).unwrap_or_default();
        session.end(ending, &seen, began.elapsed().as_secs_f64(), date)
    }

    fn spawn(&self, run: &Run, input: String) -> io::Result<(Box<dyn ChildWrapper>, mpsc::Receiver<Said>)> {
        let mut command = self.programs.command(run.scenario.stack);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut command = CommandWrap::from(command);
        #[cfg(unix)]
        command.wrap(process_wrap::std::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::std::JobObject);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin().take() {
            // A program that does not listen says so by how it ends.
            thread::spawn(move || stdin.write_all(input.as_bytes()));
        }
        let (sender, receiver) = mpsc::channel();
        if let Some(stdout) = child.stdout().take() {
            let sender = sender.clone();
            thread::spawn(move || lines(stdout, &sender));
        }
        if let Some(stderr) = child.stderr().take() {
            thread::spawn(move || pieces(stderr, &sender));
        }
        Ok((child, receiver))
    }
}

fn lines(stdout: impl Read, to: &Sender<Said>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).into_owned();
                if to.send(Said::Line(line)).is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.send(Said::Closed);
}

fn pieces(mut stderr: impl Read, to: &Sender<Said>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut buffer) {
        if to.send(Said::Error(buffer[..n].to_vec())).is_err() {
            return;
        }
    }
    let _ = to.send(Said::Closed);
}

fn keep(tail: &mut Vec<u8>, text: &[u8]) {
    tail.extend_from_slice(text);
    let over = tail.len().saturating_sub(LONGEST_TAIL);
    tail.drain(..over);
}
