//! `tidings config`: what the files say together, and the schema that editors check them against.

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use crate::config::Effective;

/// Show the configuration, or its schema
#[derive(Args, Debug)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    /// Print the JSON Schema (2020-12) of the files, for editors
    Schema,
}

/// It is shipped too. A test holds it against the keys that are read.
const SCHEMA: &str = include_str!("../../config/tidings.schema.json");

/// Show the values that count, of all sources together; secrets are masked
#[derive(Args, Debug)]
struct Show {
    /// Say of each value where it comes from: file and line, environment variable, or built in
    #[arg(long)]
    origin: bool,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command: 0, or 78 with the problems of a configuration that cannot be used.
pub(super) fn run(arguments: &Config, configuration: &Configuration) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Show(show) => output::result(&shown(&configuration.load()?.effective, show))?,
        Command::Schema => output::result(SCHEMA)?,
    }
    Ok(Exit::Ok)
}

fn shown(effective: &Effective, show: &Show) -> String {
    if !show.json {
        let text = format!("# digest {}\n{}", effective.digest(), effective.to_text(show.origin));
        return output::printable(&text);
    }
    let mut report = json!({ "digest": effective.digest(), "values": effective.to_json() });
    if show.origin {
        report["origins"] = json!(effective.origins());
    }
    format!("{report:#}\n")
}
