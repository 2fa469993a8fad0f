//! A running chromedriver.

use crate::browsers::Browser;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// chromedriver on a port of its own choice, ended with its browsers when dropped.
pub struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or ends before it listens.
    pub fn start(browser: &Browser) -> Result<Self> {
        let mut process = Command::new(&browser.driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", browser.driver.display()))?;
        let output = process.stdout.take().context("chromedriver has no output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| port_in(&line))
            .context("chromedriver ended before it listened")?;
        // A full pipe would stop it.
        thread::spawn(move || lines.for_each(drop));
        Ok(Driver {
            process,
            address: format!("127.0.0.1:{port}"),
        })
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn ask_to_end(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET /shutdown HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked, it ends its browsers as well; killed, it would leave them behind.
        let _ = self.ask_to_end();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port, from the line that says that the driver is ready.
fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_line_that_says_it_started() {
        assert_eq!(port_in("Starting ChromeDriver 156.0.1 on port 0"), None);
        assert_eq!(
            port_in("ChromeDriver was started successfully on port 39107."),
            Some(39107)
        );
        assert_eq!(
            port_in("ChromeDriver was started successfully on port 9515"),
            Some(9515)
        );
    }
}
