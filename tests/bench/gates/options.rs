//! What the benchmark is told on its command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures this machine and the appliance on it, and compares the two with the gates
///
/// Machines are noisy: only ratios to a probe taken in the same run travel. Run it on a machine that does nothing else.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench gates --")]
pub(crate) struct Options {
    /// How many seconds each figure is measured in each round; the probes take half of it
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// How many rounds there are: each takes every probe and every figure, and the medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// The folder to work in, which must be on a real disk; what is made there is removed at the end
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub(crate) dir: PathBuf,
    /// Answer 1 if a gate is missed
    #[arg(long)]
    pub(crate) assert: bool,
    /// Measure 10,000 subscriptions and a million waiting notifications instead
    #[arg(long)]
    pub(crate) scale: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// How long a figure is measured in a round.
    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.1..=60.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.1 to 60".to_owned()) }
}
