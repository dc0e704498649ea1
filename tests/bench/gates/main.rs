//! `cargo bench --bench gates`: the probes F and H, our own figures, and their ratios against the gates, in one run.
//!
//! Everything is measured on this machine, in the same minutes, by the same load generator: the appliance runs as a
//! child process from the release binary, the bare server of the probe H as another. A figure is the median over the
//! rounds; its ratio is the median of the ratios to the probes that were taken right before it. `--scale` measures
//! 10,000 subscriptions and a million waiting notifications instead; `--help` lists the rest.

mod bare;
mod consumers;
mod disk;
mod footprint;
mod load;
mod options;
#[path = "../../process/mod.rs"]
mod process;
mod report;
mod requests;
mod rounds;
mod scale;
mod secure;
mod sink;
mod stage;
mod trigger;
mod webhooks;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use options::Options;
use report::Report;

/// The appliance's own: the probes are to differ from it in what they do, not in how they allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|argument| argument == bare::ARGUMENT) {
        return exit(bare::serve().map(|()| true));
    }
    exit(run(&Options::parse()))
}

/// Whether what was asserted holds.
fn run(options: &Options) -> io::Result<bool> {
    std::fs::create_dir_all(&options.dir)?;
    warn_of_company()?;
    let mut report = Report::default();
    if options.scale {
        scale::measure(options, &mut report)?;
    } else {
        rounds::measure(options, &mut report)?;
        footprint::measure(options, &mut report)?;
    }
    print!("{}", report.show());
    Ok(report.passed() || !options.assert)
}

/// Others on the machine make every figure worse, and not all of them equally.
fn warn_of_company() -> io::Result<()> {
    const QUIET: f64 = 0.5;
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let load = text.split(' ').next().and_then(|load| load.parse::<f64>().ok()).unwrap_or(0.0);
    if load > QUIET {
        eprintln!(
            "the load average is {load} before anything has begun: others are at work here, and the figures show it"
        );
    }
    Ok(())
}

fn exit(outcome: io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(74)
        }
    }
}
