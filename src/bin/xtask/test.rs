//! The tests, step by step.

use crate::browsers::{self, Browser};
use crate::cargo::{cargo, run};
use crate::driver::Driver;
use crate::server::Server;
use crate::{module, npm, say, site, size, toolchain};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Features of the native tests: the command line, the page's components, what the JavaScript module says.
const FEATURES: [&str; 2] = ["--features", "ssr,module"];

/// Times the page; run by [`bench_page`] alone.
const REPORT: &str = "speed::report";

/// Runs every test. A step that fails does not keep the others from running.
///
/// # Errors
/// A step failed, or something needed is missing.
pub fn everything(root: &Path, with_browser: bool) -> Result<()> {
    // First, so that nobody waits for minutes before being told.
    toolchain::ensure_wasm_target()?;
    let browser = with_browser.then(browsers::ensure).transpose()?;
    if with_browser {
        browsers::ensure_firefox();
    }

    let mut steps = Steps::default();
    steps.take("native tests", || {
        run(cargo(root, ["test", "--workspace", "--no-fail-fast"]).args(FEATURES))
    });
    steps.take("tests of xtask", || {
        run(&mut cargo(
            root,
            [
                "test",
                "--no-default-features",
                "--features",
                "xtask",
                "--bin",
                "xtask",
            ],
        ))
    });
    let built = steps.take("wasm build", || site::build(root, Path::new("dist"), false));
    if let Some(dist) = built {
        steps.take("size of the page", || size::report(&dist));
        match &browser {
            Some(browser) => drop(steps.take("browser tests", || in_browser(root, &dist, browser, None))),
            None => steps.left_out("browser tests", "as asked"),
        }
        // It was built with the site, which offers it beside the widget.
        let package = root.join(module::FOLDER);
        steps.take("size of the module", || module::report(&package));
        match npm::has_node() {
            true => drop(steps.take("module in Node", || in_node(root, &package))),
            false => steps.left_out("module in Node", "it needs Node 20 or later"),
        }
    }
    steps.finish()
}

/// Runs `tests/module` on a built package.
fn in_node(root: &Path, package: &Path) -> Result<()> {
    let mut tests = cargo(root, ["test", "--test", "module"]);
    tests.args(FEATURES).args(["--", "--ignored"]);
    tests.env("PLIMSOLL_MODULE", package);
    for (variable, tool) in [
        ("PLIMSOLL_TYPESCRIPT", npm::TYPESCRIPT),
        ("PLIMSOLL_VITE", npm::VITE),
    ] {
        if let Some(folder) = npm::ensure(root, tool) {
            tests.env(variable, folder);
        }
    }
    run(&mut tests)
}

/// Builds the page and runs the browser tests, or those whose name holds a word.
///
/// # Errors
/// As [`everything`].
pub fn browser(root: &Path, name: Option<&str>) -> Result<()> {
    let browser = browsers::ensure()?;
    let dist = site::build(root, Path::new("dist"), false)?;
    in_browser(root, &dist, &browser, name)
}

/// Builds the page, weighs it and times it in the headless browser.
///
/// # Errors
/// As [`browser`].
pub fn bench_page(root: &Path) -> Result<()> {
    let browser = browsers::ensure()?;
    let dist = site::build(root, Path::new("dist"), false)?;
    size::report(&dist)?;
    with_browser(root, &dist, &browser, |tests| {
        tests.args(["--exact", REPORT, "--nocapture"])
    })
}

/// Serves the site, starts the driver, and leaves the rest to `tests/browser`.
fn in_browser(root: &Path, site: &Path, browser: &Browser, name: Option<&str>) -> Result<()> {
    with_browser(root, site, browser, |tests| {
        tests.args(["--skip", REPORT]).args(name)
    })
}

fn with_browser(
    root: &Path,
    site: &Path,
    browser: &Browser,
    choose: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<()> {
    let server = Server::start(site, 0, &[])?;
    let driver = Driver::start(browser)?;
    let mut tests = cargo(root, ["test", "--test", "browser"]);
    tests.args(FEATURES).args(["--", "--ignored"]);
    choose(&mut tests);
    tests
        .env("PLIMSOLL_SITE", server.url())
        .env("PLIMSOLL_DRIVER", driver.address());
    if let Some(axe) = npm::ensure(root, npm::AXE) {
        tests.env("PLIMSOLL_AXE", axe.join("axe.min.js"));
    }
    if let Some(program) = &browser.program {
        tests.env("PLIMSOLL_BROWSER", program);
    }
    match browsers::firefox() {
        Some(program) => drop(tests.env("PLIMSOLL_FIREFOX", program)),
        None => say!("there is no Firefox: the tests in it are LEFT OUT"),
    }
    run(&mut tests)
}

/// The steps taken so far and how they ended.
#[derive(Default)]
struct Steps {
    lines: Vec<String>,
    failed: usize,
}

impl Steps {
    fn take<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        say!("{name}");
        let started = Instant::now();
        let result = step();
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                self.lines.push(format!("{name:<18} ok      {seconds:>6.1} s"));
                Some(value)
            }
            Err(problem) => {
                say!("error: {problem:#}");
                self.lines
                    .push(format!("{name:<18} FAILED  {seconds:>6.1} s  {problem:#}"));
                self.failed += 1;
                None
            }
        }
    }

    fn left_out(&mut self, name: &str, why: &str) {
        self.lines.push(format!("{name:<18} LEFT OUT, {why}"));
    }

    fn finish(self) -> Result<()> {
        for line in &self.lines {
            say!("{line}");
        }
        match self.failed {
            0 => Ok(()),
            1 => bail!("one step failed"),
            n => bail!("{n} steps failed"),
        }
    }
}
