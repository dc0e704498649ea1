//! One life of the process.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::connection::{once, request};
use super::metrics::Metrics;
use super::site::{Addresses, Site};

/// How often a start is tried again because somebody else took the port meanwhile.
const ATTEMPTS: usize = 5;

/// How it ends where it cannot listen (design.md, "Command line": unreachable).
const CANNOT_LISTEN: i32 = 69;

/// A running `tidings serve`. It is killed with this value.
#[derive(Debug)]
pub(crate) struct Appliance {
    child: Child,
    /// Where it listens.
    pub(crate) addresses: Addresses,
    /// When it was started.
    pub(crate) started: Instant,
}

/// What a process holds of the machine's memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident (`VmRSS` of proc(5)).
    pub(crate) resident: u64,
    /// What of it is no file (`RssAnon`).
    pub(crate) anonymous: u64,
}

impl Appliance {
    /// Starts it at free ports, and does not wait until it listens.
    pub(crate) fn spawn(site: &Site) -> io::Result<Self> {
        let addresses = Addresses::free()?;
        site.configure(&addresses)?;
        let mut command = site.command(&["serve"])?;
        let started = Instant::now();
        Ok(Self { child: command.spawn()?, addresses, started })
    }

    /// Starts it, and waits until it is ready, `within` at most.
    pub(crate) fn start(site: &Site, within: Duration) -> io::Result<Self> {
        let mut last = io::Error::other("not tried");
        for _ in 0..ATTEMPTS {
            let mut appliance = Self::spawn(site)?;
            match appliance.await_ready(within) {
                Ok(_) => return Ok(appliance),
                Err(e) => last = e,
            }
            if appliance.child.try_wait()?.and_then(|status| status.code()) != Some(CANNOT_LISTEN) {
                break;
            }
        }
        Err(io::Error::other(format!("{last}; its log ends with:\n{}", site.last_words())))
    }

    /// Waits until it is ready, and says how long after its start that was.
    pub(crate) fn await_ready(&mut self, within: Duration) -> io::Result<Duration> {
        let question = request("GET", "/health/ready", &[], b"");
        loop {
            // Before it listens, and while it says why it is not ready, the question is repeated.
            if once(self.addresses.admin, &question).is_ok_and(|answer| answer.status == 200) {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the appliance ended with {status} before it was ready")));
            }
            if self.started.elapsed() > within {
                return Err(io::Error::other(format!("the appliance was not ready within {within:?}")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: nothing in it runs any more.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to stop, and waits until it has, `within` at most.
    pub(crate) fn stop(mut self, within: Duration) -> io::Result<ExitStatus> {
        kill_process(pid(&self.child)?, Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(io::Error::other(format!("the appliance did not stop within {within:?}")))
    }

    /// What `/metrics` says now.
    pub(crate) fn metrics(&self) -> io::Result<Metrics> {
        Metrics::scrape(self.addresses.admin)
    }

    /// What it holds of the memory now.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(Memory { resident: kibibytes(&status, "VmRSS:")?, anonymous: kibibytes(&status, "RssAnon:")? })
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Either it has ended already, or there is nobody left to tell.
        let _ = self.kill();
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a child without a process id"))
}

fn kibibytes(status: &str, name: &str) -> io::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let figure =
        line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|figure| figure.trim().parse::<u64>().ok());
    figure.map(|kib| kib << 10).ok_or_else(|| io::Error::other(format!("/proc has no {name}")))
}
