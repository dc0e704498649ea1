//! `tidings check`: every problem of the configuration at once.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use crate::config::{self, Files, Problem};

/// Check the configuration: all problems at once, with file, line and column
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command: 0 if the configuration can be used, with or without warnings; 78 if not.
pub(super) fn run(arguments: &Check, configuration: &Configuration) -> Result<Exit, Failure> {
    let (usable, problems, files) = match config::load(&configuration.sources()) {
        Ok(loaded) => (true, loaded.warnings, Files { read: loaded.files_read, skipped: loaded.files_skipped }),
        Err(found) => (false, found.problems, found.files),
    };
    let text = if arguments.json { as_json(usable, &problems, &files) } else { as_text(usable, &problems, &files) };
    output::result(&text)?;
    Ok(if usable { Exit::Ok } else { Exit::Configuration })
}

fn as_json(usable: bool, problems: &[Problem], files: &Files) -> String {
    let report = json!({
        "ok": usable, "problems": problems, "files_read": files.read, "files_skipped": files.skipped,
    });
    format!("{report:#}\n")
}

fn as_text(usable: bool, problems: &[Problem], files: &Files) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for problem in problems {
        let _ = writeln!(out, "{problem}");
    }
    for file in &files.read {
        let _ = writeln!(out, "read {}", file.display());
    }
    for skipped in &files.skipped {
        let _ = writeln!(out, "skipped {}: {}", skipped.file.display(), skipped.reason);
    }
    out.push_str(if usable {
        "the configuration can be used\n"
    } else {
        "the configuration cannot be used: correct the above\n"
    });
    output::printable(&out)
}
