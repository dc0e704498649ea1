//! `tidings status`: how the running appliance is, from its admin listener's health and metrics.

use std::fmt::Write as _;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Answer, Call, Target};
use super::desk;
use super::exit::{Exit, Failure};
use super::operator;
use super::output;
use super::reload::short;
use super::samples::Samples;
use super::settings::Configuration;
use crate::api::admin::ConfigurationReport;

/// Show whether the running appliance is well, and its figures
///
/// Exits with 0 if it is ready and its sums are right, 1 if not, 69 if it cannot be reached.
#[derive(Args, Debug)]
pub(super) struct Status {
    #[arg(
        long,
        value_name = "URL",
        help = "The admin listener, such as http://127.0.0.1:8421 or unix:/run/tidings/admin.sock [default: where the \
                configuration says]"
    )]
    admin: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// The body of `/health/ready`.
#[derive(Debug, Deserialize, Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
    #[serde(default)]
    details: Map<String, Value>,
}

/// What the command reports.
#[derive(Debug, Serialize)]
struct Report {
    well: bool,
    #[serde(flatten)]
    readiness: Readiness,
    figures: Samples,
    /// Subscriptions that are held, 20 at most, each with why; told on the unix socket only.
    held: Vec<operator::Held>,
    /// Clients and API keys with their last use; told on the unix socket only.
    credentials: Vec<operator::CredentialUse>,
    /// The configuration that runs, and the one on disk; told on the unix socket only.
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<ConfigurationReport>,
}

/// Runs the command.
pub(super) async fn run(arguments: &Status, configuration: &Configuration) -> Result<Exit, Failure> {
    let targets = targets(arguments, configuration)?;
    let found = first_that_answers(&targets, "/health/ready").await;
    if found.is_err() && arguments.admin.is_none() {
        // Where the files are bad it may listen elsewhere: their problems are the better explanation.
        configuration.load()?;
    }
    let (target, answer) = found?;
    let readiness = read_readiness(target, &answer)?;
    let metrics = target.send(Call::get("/metrics")).await?;
    let figures = Samples::parse(&metrics.text());
    let well = readiness.ready && figures.value("tidings_conservation_holds").is_none_or(|holds| holds != 0.0);
    // The figures are worth showing where the configuration cannot be read.
    let (held, credentials) = match operator::mount(configuration) {
        Ok(mount) => (operator::held(target, &mount).await, operator::credentials(target, &mount).await),
        Err(_) => (Vec::new(), Vec::new()),
    };
    let configuration = configuration_of(target).await;
    let report = Report { well, readiness, figures, held, credentials, configuration };
    output::result(&if arguments.json { as_json(&report)? } else { as_text(&report) })?;
    Ok(if well { Exit::Ok } else { Exit::Finding })
}

/// Where the admin listener may be reached, in the order in which that is tried.
fn targets(arguments: &Status, configuration: &Configuration) -> Result<Vec<Target>, Failure> {
    if let Some(url) = &arguments.admin {
        return Ok(vec![Target::parse(url)?]);
    }
    let targets: Vec<_> = desk::addresses(configuration).iter().map(Target::of).collect();
    if targets.is_empty() {
        return Err(Failure::new(Exit::Configuration, "`admin.listen` names no address: there is nothing to ask"));
    }
    Ok(targets)
}

/// What the appliance says of its configuration; nothing where it needs a token to say it.
async fn configuration_of(target: &Target) -> Option<ConfigurationReport> {
    if !target.is_local_socket() {
        return None;
    }
    let answer = target.send(Call::get("/configuration")).await.ok()?;
    if answer.status.is_success() { answer.read("the configuration").ok() } else { None }
}

async fn first_that_answers<'a>(targets: &'a [Target], path: &str) -> Result<(&'a Target, Answer), Failure> {
    let mut failures = Vec::new();
    for target in targets {
        match target.send(Call::get(path)).await {
            Ok(answer) => return Ok((target, answer)),
            Err(failure) => failures.push(failure),
        }
    }
    let exit = failures.first().map_or(Exit::Unreachable, |failure| failure.exit);
    let texts: Vec<_> = failures.into_iter().map(|failure| failure.text).collect();
    Err(Failure::new(exit, texts.join("\n")))
}

fn read_readiness(target: &Target, answer: &Answer) -> Result<Readiness, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        let text = format!("what {} answers is no readiness: is this an admin listener of Tidings?", target.shown());
        Failure::new(Exit::Unreachable, text)
    })
}

fn as_json(report: &Report) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write the report: {error}")))
}

fn as_text(report: &Report) -> String {
    let mut out = String::new();
    let verdict = if report.well { "well" } else { "not well" };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{verdict}");
    for reason in &report.readiness.reasons {
        let _ = writeln!(out, "  not ready: {reason}");
    }
    if report.figures.value("tidings_conservation_holds") == Some(0.0) {
        out.push_str("  the sums do not add up: stop the appliance and run `tidings verify`\n");
    }
    for (name, value) in &report.readiness.details {
        let _ = writeln!(out, "  {name:<28} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    if let Some(configuration) = &report.configuration {
        out.push_str(&of_configuration(configuration));
    }
    out.push_str(&figures(&report.figures));
    for operator::Held { id, why } in &report.held {
        let _ = writeln!(out, "  held: {id} ({why})");
    }
    for credential in &report.credentials {
        let _ = writeln!(out, "  {}", credential.line());
    }
    output::printable(&out)
}

/// Which configuration runs, and whether the files say the same.
fn of_configuration(configuration: &ConfigurationReport) -> String {
    let ConfigurationReport { digest, since, source, disk, restart, last_reload: _ } = configuration;
    let mut out = String::new();
    let last_good = if source == "last-good" { " (the last good one: the files were bad at the start)" } else { "" };
    let _ = writeln!(out, "  {:<28} {} since {since}{last_good}", "configuration running", short(digest));
    let on_disk = match &disk.digest {
        Some(on_disk) if on_disk == digest => "the same".to_owned(),
        Some(on_disk) => format!("{} (tidings plan shows what is not the same)", short(on_disk)),
        None => {
            let errors = disk.problems.iter().filter(|problem| problem.is_error()).count();
            format!("cannot be used: {errors} {} (tidings check)", if errors == 1 { "error" } else { "errors" })
        }
    };
    let _ = writeln!(out, "  {:<28} {on_disk}", "configuration on disk");
    if !restart.is_empty() {
        let _ = writeln!(out, "  {:<28} {}", "waiting for a restart", restart.join(", "));
    }
    out
}

/// The figures that an operator looks for first; `--json` has all.
fn figures(samples: &Samples) -> String {
    const SHOWN: [(&str, &str); 10] = [
        ("events accepted", "tidings_events_accepted_total"),
        ("events matched", "tidings_events_matched_total"),
        ("events unmatched", "tidings_events_unmatched_total"),
        ("repeated events", "tidings_events_duplicate_total"),
        ("failed as queue-full", "tidings_notifications_queue_full_total"),
        ("answer-unconfirmed", "tidings_notifications_answer_unconfirmed_total"),
        ("oldest waiting, seconds", "tidings_oldest_waiting_age_seconds"),
        ("subscriptions", "tidings_subscriptions"),
        ("data file, bytes", "tidings_store_file_bytes"),
        ("free on its volume, bytes", "tidings_store_free_bytes"),
    ];
    let mut out = String::new();
    for (title, name) in SHOWN {
        if let Some(value) = samples.value(name) {
            let _ = writeln!(out, "  {title:<28} {value}");
        }
    }
    for sample in samples.named("tidings_notifications").filter(|sample| sample.value != 0.0) {
        let title = format!("notifications {} {}", sample.label("kind"), sample.label("state"));
        let _ = writeln!(out, "  {title:<28} {}", sample.value);
    }
    out
}
