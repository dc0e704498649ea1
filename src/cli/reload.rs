//! `tidings reload`: the running appliance reads its files again.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::client::{Answer, Call};
use super::desk;
use super::exit::{Exit, Failure};
use super::operator::Admin;
use super::output;
use super::refusal::refused;
use super::settings::Configuration;
use crate::api::admin::{ProblemReport, ReloadReport, SubscriptionCounts};

/// How long a reload may take: a large one waits for the disk.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Have the running appliance read its configuration again, and wait until it has
///
/// All or nothing: if anything is wrong with the files, nothing is changed, the problems are shown, and the exit code is
/// 78. Keys that need a restart are named; all else is applied. `tidings plan` shows beforehand what would change.
#[derive(Args, Debug)]
pub(super) struct Reload {
    #[command(flatten)]
    admin: Admin,
    /// Print what was changed as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: &Reload, configuration: &Configuration) -> Result<Exit, Failure> {
    let call = Call { limit: PATIENCE, ..Call::post("/configuration/reload", "application/json", "") };
    let answer = desk::ask(&arguments.admin, configuration, call).await?;
    check("reload", &answer)?;
    let report: ReloadReport = answer.read("what the appliance says of the reload")?;
    output::result(&if arguments.json { answer.text() + "\n" } else { as_text(&report) })?;
    Ok(Exit::Ok)
}

/// The body of a refusal for bad files.
#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    problems: Vec<ProblemReport>,
}

/// That an answer is a success; the problems of bad files, each on a line, if those are in its way.
pub(super) fn check(what: &str, answer: &Answer) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let problems =
        serde_json::from_slice(&answer.body).map_or_else(|_| Vec::new(), |refused: Refused| refused.problems);
    if problems.is_empty() {
        return Err(refused(what, answer));
    }
    let mut text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    // Writing to a String cannot fail.
    let _ = write!(text, "\ncannot {what}: correct the above; nothing was changed");
    Err(Failure::new(Exit::Configuration, text))
}

fn as_text(report: &ReloadReport) -> String {
    let ReloadReport { changed, digest, differences, restart, subscriptions, warnings } = report;
    let mut out = String::new();
    for warning in warnings {
        let _ = writeln!(out, "{warning}");
    }
    let shown = short(digest);
    let _ = match (changed, differences) {
        (false, _) => writeln!(out, "reloaded: nothing is changed ({shown})"),
        (true, 1) => writeln!(out, "reloaded: 1 entry or section is changed ({shown})"),
        (true, count) => writeln!(out, "reloaded: {count} entries and sections are changed ({shown})"),
    };
    out.push_str(&counts(subscriptions));
    if !restart.is_empty() {
        let _ = writeln!(out, "waiting for a restart: {}", restart.join(", "));
    }
    output::printable(&out)
}

/// A line with what becomes of the subscriptions; empty if nothing does.
pub(super) fn counts(counts: &SubscriptionCounts) -> String {
    let SubscriptionCounts { created, updated, drained, failed, dropped, held, released, extended } = *counts;
    let all = [
        (created, "created"),
        (updated, "updated"),
        (drained, "drained"),
        (failed, "failed"),
        (dropped, "dropped"),
        (held, "held"),
        (released, "released"),
        (extended, "extended"),
    ];
    let some: Vec<_> = all.into_iter().filter(|(count, _)| *count > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if some.is_empty() { String::new() } else { format!("subscriptions: {}\n", some.join(", ")) }
}

/// As much of a digest as people compare.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
