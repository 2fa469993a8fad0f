//! `cargo xtask`: builds the page, opens it, and runs every test. It installs what is missing and says so.

mod browsers;
mod cargo;
mod divide;
mod doors;
mod driver;
mod evidence;
mod hashed;
mod module;
mod npm;
mod offline;
mod server;
mod site;
mod size;
mod styles;
mod test;
mod toolchain;

use anyhow::Result;
use clap::{Parser, Subcommand};
use server::Server;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints a line about what is being done, recognisable between cargo's own.
macro_rules! say {
    ($($part:tt)*) => { eprintln!("xtask: {}", format_args!($($part)*)) };
}
pub(crate) use say;

/// Builds the page, opens it, and runs every test.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the page, serve it on this machine and open it
    Serve {
        /// The port to listen on; the next free one is taken when it is in use
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Only print the address
        #[arg(long)]
        no_open: bool,
        /// Quicker to compile, larger, slower
        #[arg(long)]
        dev: bool,
    },
    /// Run every test: native, the wasm build, and the page in a headless browser
    Test {
        /// Leave the browser tests out
        #[arg(long)]
        no_browser: bool,
    },
    /// Run the browser tests alone
    Browser {
        /// Only those whose name holds this
        name: Option<String>,
    },
    /// Build the static site
    Build {
        /// Where to put it
        #[arg(long, default_value = "dist")]
        out: PathBuf,
        /// Quicker to compile, larger, slower
        #[arg(long)]
        dev: bool,
    },
    /// Name the files of a site by their content; Trunk calls it, `build` does it by itself
    Hash {
        /// The folder of the site; from within Trunk the one that Trunk builds in
        #[arg(default_value = "dist")]
        site: PathBuf,
    },
    /// Build the JavaScript module: a package for npm, for browsers and for bundlers
    Module {
        /// Where to put it
        #[arg(long, default_value = module::FOLDER)]
        out: PathBuf,
    },
    /// List what the page loads, part by part, against the budget
    Size,
    /// Time the page in a headless browser, and list what it loads
    BenchPage,
    /// Check the formatting and run clippy over everything
    Lint,
}

fn main() -> ExitCode {
    match run(Options::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: error: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match command {
        Command::Serve { port, no_open, dev } => {
            serve(&site::build(root, Path::new("dist"), dev)?, port, !no_open)
        }
        Command::Test { no_browser } => test::everything(root, !no_browser),
        Command::Browser { name } => test::browser(root, name.as_deref()),
        Command::Build { out, dev } => site::build(root, &out, dev).map(|_| ()),
        Command::Hash { site } => {
            hashed::rename(&std::env::var_os("TRUNK_STAGING_DIR").map_or(site, PathBuf::from))
        }
        Command::Module { out } => module::report(&module::build(root, &out, false)?),
        Command::Size => size::report(&site::build(root, Path::new("dist"), false)?),
        Command::BenchPage => test::bench_page(root),
        Command::Lint => cargo::lint(root),
    }
}

/// Serves a built site until interrupted.
fn serve(site: &Path, port: u16, open: bool) -> Result<()> {
    // Whoever changes the page wants to see what was built last.
    let server = Server::start(site, port, &["/sw.js"])?;
    println!("Plimsoll is at {} (Ctrl-C stops it)", server.url());
    if open && open::that_detached(server.url()).is_err() {
        say!("no browser could be started from here; open that address in one");
    }
    server.join();
    Ok(())
}
