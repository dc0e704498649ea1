//! `tidings status`: how the running appliance is, from its admin listener's health and metrics.

use std::fmt::Write as _;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Answer, Call, Target};
use super::exit::{Exit, Failure};
use super::operator;
use super::output;
use super::samples::Samples;
use super::settings::Configuration;

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
}

/// Runs the command.
pub(super) async fn run(arguments: &Status, configuration: &Configuration) -> Result<Exit, Failure> {
    let targets = targets(arguments, configuration)?;
    let (target, answer) = first_that_answers(&targets, "/health/ready").await?;
    let readiness = read_readiness(target, &answer)?;
    let metrics = target.send(Call::get("/metrics")).await?;
    let figures = Samples::parse(&metrics.text());
    let well = readiness.ready && figures.value("tidings_conservation_holds").is_none_or(|holds| holds != 0.0);
    // The figures are worth showing where the configuration cannot be read.
    let (held, credentials) = match operator::mount(configuration) {
        Ok(mount) => (operator::held(target, &mount).await, operator::credentials(target, &mount).await),
        Err(_) => (Vec::new(), Vec::new()),
    };
    let report = Report { well, readiness, figures, held, credentials };
    output::result(&if arguments.json { as_json(&report)? } else { as_text(&report) })?;
    Ok(if well { Exit::Ok } else { Exit::Finding })
}

/// Where the admin listener may be reached, in the order in which that is tried.
fn targets(arguments: &Status, configuration: &Configuration) -> Result<Vec<Target>, Failure> {
    if let Some(url) = &arguments.admin {
        return Ok(vec![Target::parse(url)?]);
    }
    let targets: Vec<_> = configuration.load()?.settings.admin.listen.iter().map(Target::of).collect();
    if targets.is_empty() {
        return Err(Failure::new(Exit::Configuration, "`admin.listen` names no address: there is nothing to ask"));
    }
    Ok(targets)
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
    out.push_str(&figures(&report.figures));
    for operator::Held { id, why } in &report.held {
        let _ = writeln!(out, "  held: {id} ({why})");
    }
    for credential in &report.credentials {
        let _ = writeln!(out, "  {}", credential.line());
    }
    output::printable(&out)
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
