//! `tidings verify`: recomputes the sums of a data file that no appliance has open, or the chain of an audit trail.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;
use super::verify_audit;
use crate::app::data_file;
use crate::model::notification::{EndpointKind, State, Sums};
use crate::store::redb::{self, OpenError, Report};

/// Recompute the sums of the data file of a stopped appliance, or the chain of an audit trail
///
/// Exits with 0 if every record can be read and every sum is right, 1 if not, 75 if an appliance runs on the file.
/// With --audit: 0 if every line of the trail follows from the one before, 1 if not; the appliance may run meanwhile.
#[derive(Args, Debug)]
pub(super) struct Verify {
    /// The data file [default: the one in the configuration's data folder]
    file: Option<PathBuf>,
    /// Check this audit trail instead, `-` for standard input [default: the file in audit.output]; lines that are none
    /// of a trail are passed over: `journalctl -u tidings -o cat | tidings verify --audit -`
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", conflicts_with = "file")]
    audit: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Verify, configuration: &Configuration) -> Result<Exit, Failure> {
    if let Some(trail) = &arguments.audit {
        return verify_audit::run(trail, arguments.json, configuration);
    }
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => data_file(&configuration.load_running()?.settings.data_dir),
    };
    let report = redb::verify(&file, &output::progress()).map_err(|error| not_verified(&error))?;
    output::result(&if arguments.json { as_json(&file, &report) } else { as_text(&file, &report) })?;
    Ok(if report.findings.is_empty() { Exit::Ok } else { Exit::Finding })
}

fn not_verified(error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::InUse { .. } => Exit::TryAgain,
        OpenError::Damaged { .. } => Exit::Finding,
        OpenError::Io { .. } | OpenError::Newer { .. } => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

fn as_json(file: &Path, report: &Report) -> String {
    let kinds: serde_json::Map<_, _> =
        EndpointKind::ALL.map(|kind| (kind.as_str().to_owned(), sums(report.sums.get(kind)))).into_iter().collect();
    let subscriptions: serde_json::Map<_, _> =
        report.subscriptions.iter().map(|s| (s.id.as_str().to_owned(), sums(&s.sums))).collect();
    let report = json!({
        "ok": report.findings.is_empty(),
        "file": file,
        "findings": report.findings,
        "events": {"accepted": report.accepted, "matched": report.matched, "unmatched": report.accepted.saturating_sub(report.matched)},
        "notifications": kinds,
        "answer_unconfirmed": report.answer_unconfirmed,
        "subscriptions": subscriptions,
    });
    format!("{report:#}\n")
}

fn sums(sums: &Sums) -> Value {
    let states = State::ALL.map(|state| (state.as_str().to_owned(), Value::from(sums.get(state))));
    [("created".to_owned(), Value::from(sums.created))]
        .into_iter()
        .chain(states)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn as_text(file: &Path, report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", file.display());
    let unmatched = report.accepted.saturating_sub(report.matched);
    let _ =
        writeln!(out, "  events: {} accepted = {} matched + {unmatched} unmatched", report.accepted, report.matched);
    for kind in EndpointKind::ALL {
        let sums = report.sums.get(kind);
        if sums.created > 0 {
            let states = State::ALL.into_iter().filter(|state| sums.get(*state) > 0);
            let states: Vec<_> = states.map(|state| format!("{} {}", sums.get(state), state.as_str())).collect();
            let _ =
                writeln!(out, "  {} notifications: {} created = {}", kind.as_str(), sums.created, states.join(" + "));
        }
    }
    let _ = writeln!(out, "  subscriptions: {}", report.subscriptions.len());
    let _ = writeln!(out, "  answer-unconfirmed: {}", report.answer_unconfirmed);
    for finding in &report.findings {
        let _ = writeln!(out, "  WRONG: {finding}");
    }
    let verdict = if report.findings.is_empty() {
        "every sum is right"
    } else {
        "not every sum is right: keep a copy of the file, and report this with the findings"
    };
    let _ = writeln!(out, "{verdict}");
    output::printable(&out)
}
