//! Start, restart after a kill, and memory.

use std::io;
use std::thread;
use std::time::Duration;

use tidings::store::redb::CACHE_BYTES;

use crate::options::Options;
use crate::process::appliance::{Appliance, Memory};
use crate::process::site::{Declared, Site};
use crate::report::{Demand, Line, Report, mebibytes, median, millis};
use crate::stage::{CONNECTIONS, START, Stage};

/// How often an empty start is measured.
const STARTS: usize = 5;
/// Notifications that wait while memory is measured, each of an event of its own.
const WAITING: u64 = 1_000_000;
/// How many identities are remembered by default (`events.duplicate_events`).
const IDENTITIES: u64 = 1_000_000;
/// How long the process rests before its memory is read.
const REST: Duration = Duration::from_secs(1);
const MEBIBYTE: u64 = 1 << 20;

/// Takes and reports the figures of this module.
pub(crate) fn measure(options: &Options, report: &mut Report) -> io::Result<()> {
    eprintln!("start and memory");
    empty_start(options, report)?;
    let mut stage = Stage::set(&options.dir, Declared::default().subscription("one", &["one"]))?;
    thread::sleep(REST);
    idle(stage.appliance.memory()?, report);
    stage.fill("one", WAITING)?;
    thread::sleep(REST);
    loaded(stage.appliance.memory()?, "memory, a million waiting", report);
    restart(options, &mut stage, report)?;
    thread::sleep(REST);
    loaded(stage.appliance.memory()?, "memory, the same after the restart", report);
    Ok(())
}

fn empty_start(options: &Options, report: &mut Report) -> io::Result<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let site = Site::new(&options.dir, Declared::default().subscription("one", &["one"]))?;
        times.push(millis(Appliance::spawn(&site)?.await_ready(START)?));
    }
    let measured = median(&times);
    let value = format!("{measured:.1} ms");
    report.add(line("start to ready, empty", value, "ms", measured, Demand::AtMost(100.0)));
    Ok(())
}

/// Killed while it publishes: the last commits are as they come, and nothing is closed.
fn restart(options: &Options, stage: &mut Stage, report: &mut Report) -> io::Result<()> {
    let load = stage.load(CONNECTIONS, options.measured() * 10);
    let mut source = stage.publishing("one");
    let took = thread::scope(|scope| {
        let broken = scope.spawn(move || load.run(&mut source));
        thread::sleep(options.measured());
        let took = stage.kill_and_start();
        match broken.join() {
            Ok(Err(_)) => took,
            _ => Err(io::Error::other("the load was not cut off by the kill")),
        }
    })?;
    let file = std::fs::metadata(stage.site.data_file())?.len();
    let value = format!("{:.0} ms, {}", millis(took), mebibytes(file));
    #[allow(clippy::cast_precision_loss)]
    let a_gibibyte = took.as_secs_f64() / (file as f64 / f64::from(1 << 30));
    report.add(line("restart after kill -9 under load", value, "s a GiB", a_gibibyte, Demand::AtMost(3.0)));
    Ok(())
}

fn idle(memory: Memory, report: &mut Report) {
    report.add(of_limit("memory, idle", memory, 30 * MEBIBYTE));
}

fn loaded(memory: Memory, figure: &str, report: &mut Report) {
    let limit = 30 * MEBIBYTE + CACHE_BYTES as u64 + 60 * WAITING + 40 * IDENTITIES;
    report.add(of_limit(figure, memory, limit));
}

/// Resident memory as a share of `limit`.
#[allow(clippy::cast_precision_loss)]
fn of_limit(figure: &str, memory: Memory, limit: u64) -> Line {
    let (resident, anonymous) = (mebibytes(memory.resident), mebibytes(memory.anonymous));
    let value = format!("{resident}, {anonymous} anonymous");
    line(figure, value, "of the limit", memory.resident as f64 / limit as f64, Demand::AtMost(1.0))
}

fn line(figure: &str, value: String, scale: &'static str, measured: f64, demand: Demand) -> Line {
    Line { figure: figure.to_owned(), value, scale, measured, demand }
}
