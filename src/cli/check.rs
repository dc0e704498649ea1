//! `tidings check`: every problem of the configuration at once, and with `--online` whether what it names can be reached.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::online::{self, Tried};
use super::output;
use super::settings::Configuration;
use crate::config::{self, Files, Loaded, Problem, Settings, Severity};

/// Check the configuration: all problems at once, with file, line and column
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Try the mail relay, issuers and webhooks too: connections are made under their policies, with TLS and login, and
    /// nothing is sent
    #[arg(long)]
    online: bool,
}

/// Runs the command: 0 if the configuration can be used, with or without warnings; 78 if not, or if what was tried could
/// not be reached.
pub(super) async fn run(arguments: &Check, configuration: &Configuration) -> Result<Exit, Failure> {
    let found = match config::load(&configuration.sources()) {
        Ok(loaded) => Found::of(loaded, arguments.online).await,
        Err(found) => Found { problems: found.problems, files: found.files, ..Found::default() },
    };
    let text = if arguments.json { as_json(&found) } else { as_text(&found) };
    output::result(&text)?;
    Ok(if found.count(Severity::Error) == 0 { Exit::Ok } else { Exit::Configuration })
}

/// What there is to tell.
#[derive(Default)]
struct Found {
    /// Whether there is nothing wrong with the files themselves.
    usable: bool,
    problems: Vec<Problem>,
    certificates: Vec<Certificate>,
    /// `None`: nothing was to be tried, or it could not be.
    tried: Option<Vec<Tried>>,
    files: Files,
}

impl Found {
    async fn of(loaded: Loaded, online: bool) -> Self {
        let (tried, unreached) = if online { Some(online::run(&loaded).await).unzip() } else { (None, None) };
        Self {
            usable: true,
            tried,
            certificates: certificates(&loaded.settings),
            problems: loaded.warnings.into_iter().chain(unreached.unwrap_or_default()).collect(),
            files: Files { read: loaded.files_read, skipped: loaded.files_skipped },
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
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
    let Found { usable: _, problems, certificates, tried, files } = found;
    let errors = found.count(Severity::Error);
    let files_read: Vec<_> = files.read.iter().map(|file| file.to_string_lossy()).collect();
    let mut report = json!({
        "ok": errors == 0, "errors": errors, "warnings": found.count(Severity::Warning), "problems": problems,
        "certificates": certificates, "files_read": files_read, "files_skipped": files.skipped,
    });
    if let Some(tried) = tried {
        report["online"] = json!(tried);
    }
    format!("{report:#}\n")
}

fn as_text(found: &Found) -> String {
    let Found { usable, problems, certificates, tried, files } = found;
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
    for tried in tried.iter().flatten().filter(|tried| tried.reached) {
        let detail = tried.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let _ = writeln!(out, "{} reached in {} ms{detail}", tried.what, tried.milliseconds);
    }
    let counts = [(found.count(Severity::Error), "error"), (found.count(Severity::Warning), "warning")];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" })).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    let _ = match (usable, found.count(Severity::Error)) {
        (false, _) => writeln!(out, "the configuration cannot be used: correct the above{counts}"),
        (true, 0) => writeln!(out, "the configuration can be used{counts}"),
        (true, _) => writeln!(out, "the configuration can be used, but not all that it names could be reached{counts}"),
    };
    output::printable(&out)
}
