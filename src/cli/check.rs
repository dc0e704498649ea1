//! `tidings check`: every problem of the configuration at once.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use crate::config::{self, Files, Problem, Settings};

/// Check the configuration: all problems at once, with file, line and column
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command: 0 if the configuration can be used, with or without warnings; 78 if not.
pub(super) fn run(arguments: &Check, configuration: &Configuration) -> Result<Exit, Failure> {
    let found = match config::load(&configuration.sources()) {
        Ok(loaded) => Found {
            usable: true,
            certificates: certificates(&loaded.settings),
            problems: loaded.warnings,
            files: Files { read: loaded.files_read, skipped: loaded.files_skipped },
        },
        Err(found) => Found { usable: false, certificates: Vec::new(), problems: found.problems, files: found.files },
    };
    let usable = found.usable;
    let text = if arguments.json { as_json(&found) } else { as_text(&found) };
    output::result(&text)?;
    Ok(if usable { Exit::Ok } else { Exit::Configuration })
}

/// What there is to tell.
struct Found {
    usable: bool,
    problems: Vec<Problem>,
    certificates: Vec<Certificate>,
    files: Files,
}

/// A certificate that is presented.
#[derive(Serialize)]
struct Certificate {
    key: &'static str,
    /// RFC 3339.
    not_after: String,
}

fn certificates(settings: &Settings) -> Vec<Certificate> {
    let presented = [("server.tls", &settings.server), ("admin.tls", &settings.admin)];
    let presented = presented.into_iter().filter_map(|(key, server)| Some((key, server.tls.as_ref()?.validity())));
    presented.map(|(key, validity)| Certificate { key, not_after: validity.not_after.to_rfc3339_seconds() }).collect()
}

fn as_json(found: &Found) -> String {
    let Found { usable, problems, certificates, files } = found;
    let report = json!({
        "ok": usable, "problems": problems, "certificates": certificates,
        "files_read": files.read, "files_skipped": files.skipped,
    });
    format!("{report:#}\n")
}

fn as_text(found: &Found) -> String {
    let Found { usable, problems, certificates, files } = found;
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
    for certificate in certificates {
        let _ = writeln!(out, "{}: the certificate is good until {}", certificate.key, certificate.not_after);
    }
    out.push_str(if *usable {
        "the configuration can be used\n"
    } else {
        "the configuration cannot be used: correct the above\n"
    });
    output::printable(&out)
}
