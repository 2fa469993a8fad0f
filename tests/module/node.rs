//! Node, and the package as `cargo xtask` has built it.

use serde_json::Value;
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

/// The folder of the built package.
pub fn package() -> PathBuf {
    env::var_os("PLIMSOLL_MODULE")
        .expect("run by 'cargo xtask test'")
        .into()
}

/// The folder of an npm package that `cargo xtask` fetched; nothing where it could not.
pub fn fetched(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

/// A file of the repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program with this input and gives what it printed; its complaints are the test's.
#[track_caller]
pub fn printed(command: &mut Command, input: String) -> String {
    let output = finished(command, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}\n{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Asks the module: a line of JSON each way.
pub fn answers(questions: &[Value]) -> Vec<Value> {
    answers_of("whole", questions)
}

/// Asks the module without its rest.
pub fn first_answers(questions: &[Value]) -> Vec<Value> {
    answers_of("first", questions)
}

fn answers_of(part: &str, questions: &[Value]) -> Vec<Value> {
    let lines: Vec<_> = questions.iter().map(Value::to_string).collect();
    let script = file("tests/module/answer.mjs");
    let printed = printed(
        Command::new("node").arg(script).arg(package()).arg(part),
        lines.join("\n"),
    );
    let answers: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

fn finished(command: &mut Command, input: String) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}
