//! `plimsoll validate` with a stand-in for Python that behaves, crashes, hangs, prints garbage and runs out of memory;
//! and sessions of the real measuring programs, recorded on a card whose kernels do nothing.

#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::scenario::Scenario;
use plimsoll::score::{self, RowScore, Status};
use plimsoll::validate::{Comparison, Ending, Outcome, Record, Run, Session, Watched, Weights};
use serde_json::Value;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/validate")
        .join(name)
}

/// The run that the recorded session of `hf.py` is of.
const RUN: &str = "--model meta-llama/Llama-3.2-1B --seq 768";

/// A validation in a folder of its own.
struct Bench {
    folder: TempDir,
}

struct Ended {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        Bench {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `plimsoll validate` whose Python behaves like this.
    fn command(&self, fake: &str, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .arg("validate")
            .args(line.split_whitespace())
            .arg("--python")
            .arg(fixture("python"))
            .current_dir(self.folder.path())
            .env_remove("CLICOLOR_FORCE")
            .env("USER", "zweig")
            .env("FAKE", fake)
            .env("FAKE_SESSION", fixture("hf-session.jsonl"))
            .env("FAKE_INPUT", self.path("input.json"))
            .env("FAKE_COUNT", self.path("count"))
            .env("FAKE_PID", self.path("pid"));
        command
    }

    fn run(&self, fake: &str, line: &str) -> Ended {
        let output = self.command(fake, line).output().unwrap();
        Ended {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn records(&self) -> Vec<Record> {
        records(&self.path("plimsoll-runs.jsonl"))
    }

    #[track_caller]
    fn only_record(&self) -> Record {
        let [record] = <[Record; 1]>::try_from(self.records()).unwrap();
        record
    }

    /// How often the program was started.
    fn started(&self) -> usize {
        std::fs::read_to_string(self.path("count")).map_or(0, |text| text.lines().count())
    }

    fn scenarios(&self, lines: &[&str]) -> String {
        std::fs::write(self.path("scenarios.jsonl"), lines.join("\n")).unwrap();
        "--scenarios scenarios.jsonl".into()
    }
}

fn records(path: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Has a process ended? One that nobody has waited for yet has.
fn is_gone(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')),
        Err(_) => !Command::new("kill")
            .args(["-0", pid])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success(),
    }
}

/// Waits for something that is bound to come; generously, for the machine may be busy.
#[track_caller]
fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn schema() -> jsonschema::Validator {
    let text = include_str!("../schema/record.schema.json");
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

#[track_caller]
fn assert_follows_schema(record: &Value) {
    let errors: Vec<_> = schema()
        .iter_errors(record)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{record}");
}

#[test]
fn a_recorded_session_is_what_the_estimate_says() {
    let bench = Bench::new();
    let ended = bench.run("session", RUN);
    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let record = bench.only_record();
    assert_eq!(record.outcome, Outcome::Ran);
    assert_eq!(record.measured.peak_allocated_bytes, Some(4_744_531_456));
    assert_eq!(record.scenario.gpu.as_deref(), Some("rtx-4090"));
    let comparison = Comparison::of(&record, Some(0.0)).unwrap();
    let allocated = comparison.quantity("allocated").unwrap();
    assert_eq!(allocated.estimated, allocated.measured);
    assert!(ended.out.contains("allocated"), "{}", ended.out);
    assert!(ended.out.contains("backward of step 2"), "{}", ended.out);
}

#[test]
fn the_measuring_program_is_told_the_scenario_and_the_models_configuration() {
    let bench = Bench::new();
    bench.run("session", &format!("{RUN} --rank 8 --weights hub"));
    let told: Value = serde_json::from_slice(&std::fs::read(bench.path("input.json")).unwrap()).unwrap();
    assert_eq!(told["scenario"]["lora"]["rank"], 8);
    assert_eq!(told["config"]["hidden_size"], 2048);
    assert_eq!(
        (&told["weights"], &told["model"]),
        (&"hub".into(), &"meta-llama/Llama-3.2-1B".into())
    );
    assert_eq!(bench.only_record().weights_from, Weights::Hub);
}

#[test]
fn a_measurement_beyond_the_tolerance_exits_with_1_and_says_where() {
    let bench = Bench::new();
    // The session's rank is 16.
    let ended = bench.run("session", &format!("{RUN} --rank 64"));
    assert_eq!(ended.exit, Some(1), "{}", ended.out);
    assert!(ended.out.contains("beyond tolerance"), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("which modules carry adapters, and the adapters' dtype"),
        "{}",
        ended.out
    );
    let ended = Bench::new().run("session", &format!("{RUN} --rank 64 --tolerance 10"));
    assert_eq!(ended.exit, Some(0), "{}", ended.out);
}

#[test]
fn every_fault_is_a_record() {
    type IsRight = fn(&Outcome) -> bool;
    let cases: [(&str, IsRight); 7] = [
        ("crash", |o| {
            matches!(o, Outcome::Crashed { error, message, .. }
            if error == "exit code 1" && message.contains("illegal memory access"))
        }),
        (
            "told-crash",
            |o| matches!(o, Outcome::Crashed { error, .. } if error == "ValueError"),
        ),
        (
            "killed",
            |o| matches!(o, Outcome::Crashed { error, .. } if error == "ended by a signal"),
        ),
        (
            "garbage",
            |o| matches!(o, Outcome::Garbled { message } if message == "the last words"),
        ),
        ("out-of-memory", |o| {
            matches!(o, Outcome::OutOfMemory { step: 1, .. })
        }),
        ("lost", |o| matches!(o, Outcome::DeviceLost { .. })),
        (
            "no-unsloth",
            |o| matches!(o, Outcome::Unusable { reason, .. } if reason == "missing_package"),
        ),
    ];
    for (fake, is_right) in cases {
        let bench = Bench::new();
        let ended = bench.run(fake, RUN);
        let record = bench.only_record();
        assert!(is_right(&record.outcome), "{fake}: {:?}", record.outcome);
        assert_ne!(ended.exit, Some(0), "{fake}");
        assert_follows_schema(&serde_json::to_value(&record).unwrap());
    }
}

#[test]
fn out_of_memory_keeps_what_was_reached_and_no_peak() {
    let bench = Bench::new();
    let ended = bench.run("out-of-memory", RUN);
    let record = bench.only_record();
    assert_eq!(record.measured.phases.len(), 1);
    assert_eq!(record.measured.peak_allocated_bytes, None);
    assert!(
        ended
            .out
            .contains("it was said to fit, and ended out of memory in backward of step 1"),
        "{}",
        ended.out
    );
}

#[test]
fn a_hang_ends_at_the_limit_with_everything_it_started() {
    let bench = Bench::new();
    // Long enough for the program to begin, on most machines.
    let ended = bench.run("hang", &format!("{RUN} --limit 0.05"));
    assert!(
        matches!(bench.only_record().outcome, Outcome::TimedOut { .. }),
        "{}",
        ended.err
    );
    if let Ok(pid) = std::fs::read_to_string(bench.path("pid")) {
        wait_for("the grandchild ends", || is_gone(pid.trim()));
    }
}

#[test]
fn ctrl_c_keeps_what_is_measured_and_resuming_goes_on_there() {
    let bench = Bench::new();
    let line = bench.scenarios(&[
        r#"{"model": "meta-llama/Llama-3.2-1B", "seq": 768}"#,
        "#model=meta-llama/Llama-3.2-1B&seq=896",
    ]);
    let mut child = bench
        .command("session-then-hang", &line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the second run hangs", || bench.path("pid").exists());
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.only_record().outcome, Outcome::Ran);
    let pid = std::fs::read_to_string(bench.path("pid")).unwrap();
    wait_for("the run ends", || is_gone(pid.trim()));

    let refused = bench.run("session", &line);
    assert_eq!(refused.exit, Some(2));
    assert!(
        refused
            .err
            .contains("holds 1 records already; go on with --resume"),
        "{}",
        refused.err
    );
    let before = bench.started();
    bench.run("session", &format!("{line} --resume"));
    assert_eq!((bench.records().len(), bench.started() - before), (2, 1));
    bench.run("session", &format!("{line} --resume"));
    assert_eq!((bench.records().len(), bench.started() - before), (2, 1));
}

#[test]
fn a_line_that_was_cut_off_is_left_alone_and_spoils_nothing() {
    let bench = Bench::new();
    let file = bench.path("plimsoll-runs.jsonl");
    std::fs::write(&file, "{\"record\": 1, \"id\": \"cut").unwrap();
    let ended = bench.run("session", &format!("{RUN} --resume"));
    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    assert!(ended.err.contains("1 lines are no records"), "{}", ended.err);
    let text = std::fs::read_to_string(&file).unwrap();
    let last: Record = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((text.lines().count(), last.outcome), (2, Outcome::Ran));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_and_the_record_printed() {
    let bench = Bench::new();
    let ended = bench.run("session", &format!("{RUN} --out /dev/full"));
    assert_eq!(ended.exit, Some(2));
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    let record: Record = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    assert_eq!(record.outcome, Outcome::Ran);
}

#[test]
fn what_concerns_all_runs_stops_them_with_the_way_on() {
    let bench = Bench::new();
    let ended = bench.run("no-driver", "--matrix quick");
    assert_eq!((ended.exit, bench.started()), (Some(2), 1));
    assert!(
        ended
            .err
            .contains("Found no NVIDIA driver on your system.; install the NVIDIA driver"),
        "{}",
        ended.err
    );
    assert!(bench.records().is_empty());
}

#[test]
fn a_missing_package_leaves_out_its_stack_and_names_the_install_line() {
    let bench = Bench::new();
    let ended = bench.run("no-unsloth", "--matrix quick --stacks unsloth");
    assert_eq!((ended.exit, bench.started()), (Some(2), 1));
    assert!(ended.err.contains("pip install -U unsloth"), "{}", ended.err);
}

#[test]
fn a_python_that_is_none_is_named() {
    let bench = Bench::new();
    let mut command = bench.command("session", RUN);
    let output = command.env("FAKE_PROBE", "3").output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err.contains("does not run as Python") && err.contains("name one with --python"),
        "{err}"
    );

    let mut nowhere = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    nowhere
        .args(["validate", "--seq", "768"])
        .current_dir(bench.folder.path())
        .env("PATH", "");
    let output = nowhere
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX")
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("no Python was found; name one with --python"),
        "{err}"
    );
}

#[test]
fn no_time_left_starts_no_run() {
    let bench = Bench::new();
    let ended = bench.run("session", "--matrix quick --minutes 0.0000000001");
    assert_eq!((ended.exit, bench.started()), (Some(0), 0));
    assert!(
        ended
            .err
            .contains("the time is over with 12 runs left; go on with --resume"),
        "{}",
        ended.err
    );
    let ended = bench.run("session", "--matrix quick --minutes -1");
    assert!(
        ended
            .err
            .contains("minutes: '-1' is not a number of minutes above zero"),
        "{}",
        ended.err
    );
}

#[test]
fn bad_lines_of_a_scenario_file_are_named() {
    let bench = Bench::new();
    let line = bench.scenarios(&[
        "{\"bacth\": 1}",
        "",
        "nonsense",
        "{\"batch\": 1, \"gpu\": \"toaster\"}",
    ]);
    let ended = bench.run("session", &line);
    assert_eq!((ended.exit, bench.started()), (Some(2), 0));
    for named in [
        "scenarios.jsonl:1: ",
        "scenarios.jsonl:3: ",
        "scenarios.jsonl:4: gpu",
    ] {
        assert!(ended.err.contains(named), "{named} in {}", ended.err);
    }
}

#[test]
fn the_longest_sequence_that_runs_is_found() {
    let bench = Bench::new();
    let ended = bench.run(
        "grows",
        "--model meta-llama/Llama-3.2-1B --boundary --gpu rtx-4090",
    );
    // The solver promises more than this card holds.
    assert_eq!(ended.exit, Some(1), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("896 tokens a sequence run"), "{}", ended.out);
    assert_eq!(bench.records().len(), bench.started());
}

#[test]
fn shared_records_say_nothing_of_whose_machine_it_was_and_follow_the_schema() {
    let bench = Bench::new();
    bench.run("told-crash", &format!("{RUN} --share shared.jsonl"));
    let text = std::fs::read_to_string(bench.path("shared.jsonl")).unwrap();
    assert!(
        !text.contains("zweig") && text.contains("cannot open ‹path›"),
        "{text}"
    );
    assert_follows_schema(&serde_json::from_str(&text).unwrap());
}

#[test]
fn repeated_runs_have_names_of_their_own() {
    let bench = Bench::new();
    let ended = bench.run("session", &format!("{RUN} --repeat 3 --json"));
    let shown: Value = serde_json::from_str(&ended.out).unwrap();
    let names: Vec<_> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[1], format!("{}-2", names[0]));
    assert_eq!(bench.records().len(), 3);
    let ended = bench.run("session", &format!("{RUN} --repeat 3 --resume"));
    let said = "3 times: allocated within 0.00 %, reserved within 0.00 %, process within 0.00 %";
    assert!(ended.out.contains(said), "{}", ended.out);
}

// ---- records

/// The record of a recorded session.
fn session(name: &str, scenario: Scenario) -> Record {
    let mut session = Session::new(Run::new(scenario, Weights::Random, 1));
    for line in std::fs::read_to_string(fixture(name)).unwrap().lines() {
        session.line(line);
    }
    session.end(
        Ending::Exited(Some(0), String::new()),
        &Watched::default(),
        1.0,
        "2026-11-21",
    )
}

fn hf() -> Record {
    let scenario = r#"{"model": "meta-llama/Llama-3.2-1B", "seq": 768}"#;
    session("hf-session.jsonl", serde_json::from_str(scenario).unwrap())
}

fn unsloth() -> Record {
    let scenario = r#"{"model": "meta-llama/Llama-3.2-1B-Instruct", "stack": "unsloth"}"#;
    session("unsloth-session.jsonl", serde_json::from_str(scenario).unwrap())
}

#[test]
fn records_round_trip_and_follow_the_schema() {
    for record in [hf(), unsloth()] {
        assert_eq!(record.outcome, Outcome::Ran);
        let json = serde_json::to_value(&record).unwrap();
        assert_follows_schema(&json);
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    }
}

#[test]
fn the_schema_refuses_what_is_no_record() {
    let mut json = serde_json::to_value(hf()).unwrap();
    json["machine"]["host"] = "engine-1".into();
    assert!(!schema().is_valid(&json));
    let mut json = serde_json::to_value(hf()).unwrap();
    json["measured"]["process_bytes"] = "much".into();
    assert!(!schema().is_valid(&json));
}

#[test]
fn every_record_that_the_project_carries_follows_the_schema_and_names_nobody() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("records");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
    {
        for record in records(&file) {
            assert_follows_schema(&serde_json::to_value(&record).unwrap());
            assert_eq!(
                plimsoll::validate::redact(&record, &Default::default()),
                record,
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn the_breakdown_of_a_session_is_the_estimates() {
    let comparison = Comparison::of(&hf(), None).unwrap();
    assert!(comparison.within);
    for part in comparison.parts.iter().chain(&comparison.phases) {
        assert!(part.estimated.abs_diff(part.measured) <= 3 << 20, "{part:?}");
    }
}

#[test]
fn a_session_of_unsloth_is_what_the_estimate_says() {
    let comparison = Comparison::of(&unsloth(), Some(0.5)).unwrap();
    assert!(comparison.within, "{:?}", comparison.findings);
    for quantity in ["allocated", "reserved"] {
        let line = comparison.quantity(quantity).unwrap();
        assert!(line.error_percent().abs() < 1.0, "{line:?}");
    }
}

#[test]
fn a_run_that_is_cut_short_is_compared_up_to_there() {
    let mut record = hf();
    record.outcome = Outcome::OutOfMemory {
        phase: "forward".into(),
        step: 1,
        message: "CUDA out of memory.".into(),
    };
    record.machine.total_bytes = 4 << 30;
    record.measured.phases.truncate(3);
    record.measured.phases[2].peak_allocated_bytes /= 2;
    let comparison = Comparison::of(&record, None).unwrap();
    let names: Vec<_> = comparison
        .phases
        .iter()
        .map(|phase| phase.name.as_str())
        .collect();
    assert_eq!(names, ["after loading", "data of step 1"]);
    assert_eq!(
        comparison.findings,
        ["out of memory in forward of step 1, as was said"]
    );
    assert!(comparison.within);
}

#[test]
fn a_difference_is_traced_to_its_part_and_first_phase() {
    let mut record = hf();
    let extra = 1 << 30;
    record.measured.peak_allocated_bytes = record.measured.peak_allocated_bytes.map(|bytes| bytes + extra);
    for phase in record.measured.phases.iter_mut().filter(|phase| phase.step > 0) {
        phase.peak_allocated_bytes += extra;
    }
    *record
        .measured
        .breakdown
        .as_mut()
        .unwrap()
        .bytes
        .get_mut("optimizer_states")
        .unwrap() += extra;
    let comparison = Comparison::of(&record, None).unwrap();
    assert!(!comparison.within);
    assert!(
        comparison.findings[0].contains("optimizer states"),
        "{:?}",
        comparison.findings
    );
    assert!(
        comparison.findings[1].contains("data of step 1"),
        "{:?}",
        comparison.findings
    );
}

#[test]
fn another_process_on_the_card_is_noted() {
    let watched = Watched {
        before: Some(1 << 30),
        device: Some(6 << 30),
        samples: 10,
        others: 2,
        ..Watched::default()
    };
    let record = Session::new(Run::new(Scenario::default(), Weights::Random, 1)).end(
        Ending::TimedOut(60),
        &watched,
        60.0,
        "2026-11-21",
    );
    assert_eq!(record.notes, ["2 other processes used the card"]);
    assert_eq!(record.measured.process_bytes, Some(5 << 30));
}

#[test]
fn records_are_scored_like_any_other_row() {
    let lines = [hf(), unsloth()].map(|record| serde_json::to_string(&record).unwrap());
    let (rows, errors) = score::read("records.jsonl", lines.join("\n").as_bytes());
    assert_eq!((rows.len(), errors.len()), (2, 0));
    let scored = RowScore::of(&rows[0], "records.jsonl");
    assert_eq!(scored.status, Status::Scored);
    let allocated = scored.quantities.allocated.unwrap();
    assert_eq!(allocated.estimated, allocated.measured);
    assert!(scored.quantities.process.is_some() && scored.verdict.is_some());
}
