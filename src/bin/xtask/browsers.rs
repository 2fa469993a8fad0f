//! The headless browser of the page's tests: Chromium and its driver, found or installed.

use crate::cargo::{line_of, run};
use crate::say;
use anyhow::{Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs that the browser tests need.
#[derive(Debug)]
pub struct Browser {
    /// chromedriver.
    pub driver: PathBuf,
    /// Chromium or Chrome. Without one the driver looks in the places where installers put it.
    pub program: Option<PathBuf>,
}

const DRIVERS: &[&str] = &["chromedriver", "chromium.chromedriver"];
const PROGRAMS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const FIREFOX: &[&str] = &["firefox-esr", "firefox"];

/// What Debian calls Chromium and its driver.
const DEBIAN: [&str; 2] = ["chromium", "chromium-driver"];

/// Finds the browser, or installs it where that needs no question.
///
/// # Errors
/// It is not there and cannot be installed from here; the message says what to install.
pub fn ensure() -> Result<Browser> {
    if let Some(browser) = find() {
        return Ok(browser);
    }
    if let Some(packages) = packages(&os_release()) {
        install(&packages)?;
    }
    match find() {
        Some(browser) => Ok(browser),
        None => bail!(
            "the browser tests need Chromium (or Chrome) and chromedriver of the same version on PATH; install both, \
             or leave these tests out with 'cargo xtask test --no-browser'"
        ),
    }
}

/// Firefox, in which some of the tests run as well, where it is installed.
pub fn firefox() -> Option<PathBuf> {
    on_path(FIREFOX)
}

/// Installs Firefox where it is missing and Debian has it; elsewhere its tests say that they are left out.
pub fn ensure_firefox() {
    let debian = packages(&os_release()) == Some(DEBIAN);
    if firefox().is_none()
        && debian
        && let Err(problem) = install(&["firefox-esr"])
    {
        say!("the tests in Firefox are LEFT OUT: {problem:#}");
    }
}

fn os_release() -> String {
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}

fn find() -> Option<Browser> {
    let driver = on_path(DRIVERS)?;
    let program = on_path(PROGRAMS);
    // Elsewhere than on Linux browsers are not on PATH, and the driver knows where they are.
    (program.is_some() || !cfg!(target_os = "linux")).then_some(Browser { driver, program })
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| {
        folders
            .iter()
            .map(move |f| f.join(format!("{name}{}", env::consts::EXE_SUFFIX)))
    });
    candidates.into_iter().find(|file| file.is_file())
}

/// What Debian and its descendants call the two, by the text of os-release.
fn packages(os_release: &str) -> Option<[&'static str; 2]> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let (id, like) = (value("ID="), value("ID_LIKE="));
    let is = |name: &str| id == name || like.split(' ').any(|word| word == name);
    if is("ubuntu") {
        Some(["chromium-browser", "chromium-chromedriver"])
    } else if is("debian") {
        Some(DEBIAN)
    } else {
        None
    }
}

/// Installs packages, as root or where sudo asks for no password; otherwise says what to type.
fn install(packages: &[&str]) -> Result<()> {
    let mut apt = Vec::new();
    if !is_root() {
        if !succeeds(Command::new("sudo").args(["-n", "true"])) {
            bail!(
                "install what the browser tests need with 'sudo apt-get install {}', or leave these tests out with 'cargo \
                 xtask test --no-browser'",
                packages.join(" ")
            );
        }
        apt.extend(["sudo", "-n"]);
    }
    apt.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let call = |args: &[&str]| {
        let mut command = Command::new(apt[0]);
        command.args(&apt[1..]).args(args);
        say!("installing a browser for the tests: {}", line_of(&command));
        run(&mut command)
    };
    let wanted = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // On a fresh machine apt knows no packages until it is told to look.
    call(&wanted).or_else(|_| call(&["update"]).and_then(|()| call(&wanted)))
}

/// On Linux the folder of one's own process belongs to one's user.
fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

fn succeeds(command: &mut Command) -> bool {
    let silent = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_descendants_are_known_by_their_os_release() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n";
        assert_eq!(packages(debian), Some(["chromium", "chromium-driver"]));
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(
            packages(mint),
            Some(["chromium-browser", "chromium-chromedriver"])
        );
        assert_eq!(packages("ID=fedora\n"), None);
        assert_eq!(packages(""), None);
    }
}
