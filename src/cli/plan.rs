//! `tidings plan`: what a reload would change.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;

use super::client::Call;
use super::desk;
use super::exit::{Exit, Failure};
use super::operator::Admin;
use super::output;
use super::reload::{PATIENCE, check, counts, short};
use super::settings::Configuration;
use crate::api::admin::{DifferenceReport, FieldReport, PlanReport, SubscriptionCounts};
use crate::app::{self, StartError, last_good};
use crate::engine::foresee;
use crate::store::redb::OpenError;

/// Beyond so many entries of a list that are added, changed or removed, the rest is counted.
const SHOWN: usize = 20;

/// Show what a reload would change
///
/// Field by field, with secrets as changed or not; which keys would wait for a restart; how many notifications wait in
/// each subscription that would be removed; and which subscriptions made through an API would be held. It is asked of
/// the running appliance, or found from the data file and the last configuration that ran if none runs. Exits with 0 if
/// nothing would change, 1 if something would, 78 if the files cannot be used.
#[derive(Args, Debug)]
pub(super) struct Plan {
    #[command(flatten)]
    admin: Admin,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: &Plan, configuration: &Configuration) -> Result<Exit, Failure> {
    let call = Call { limit: PATIENCE, ..Call::get("/configuration/plan") };
    let (plan, runs): (PlanReport, _) = match desk::ask(&arguments.admin, configuration, call).await {
        Ok(answer) => {
            check("plan", &answer)?;
            (answer.read("the plan")?, true)
        }
        Err(failure) if failure.exit == Exit::Unreachable && arguments.admin.url().is_none() => {
            (of_stopped(configuration, &failure)?, false)
        }
        Err(failure) => return Err(failure),
    };
    output::result(&if arguments.json { as_json(&plan)? } else { as_text(&plan, runs) })?;
    Ok(if plan.has_changes() { Exit::Finding } else { Exit::Ok })
}

/// The plan of an appliance that does not run.
fn of_stopped(configuration: &Configuration, unreachable: &Failure) -> Result<PlanReport, Failure> {
    let loaded = configuration.load()?;
    let data_dir = &loaded.settings.data_dir;
    let survey = app::survey(data_dir, &output::progress()).map_err(|error| match error {
        StartError::DataFile(OpenError::InUse { .. }) => {
            Failure::new(Exit::Unreachable, format!("{}\n{error}", unreachable.text))
        }
        other => Failure::new(Exit::Io, other.to_string()),
    })?;
    let ran = match last_good::read(data_dir, &configuration.sources()) {
        Some(Ok(loaded)) => loaded.effective,
        Some(Err(problems)) => {
            output::remark(&format!("what ran last cannot be read, so that all is shown as new:\n{problems}"));
            loaded.effective.built_in()
        }
        None => loaded.effective.built_in(),
    };
    let foreseen = foresee(&loaded.settings.engine, &loaded.settings.engine, &survey.subscriptions)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    output::remark("no appliance runs: compared with the configuration that ran last, and with the data file");
    Ok(app::plan(&ran, &loaded, &foreseen, survey.subscriptions, survey.sums))
}

fn as_json(plan: &PlanReport) -> Result<String, Failure> {
    serde_json::to_string_pretty(plan)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Io, format!("cannot write the plan: {error}")))
}

fn as_text(plan: &PlanReport, runs: bool) -> String {
    let PlanReport { running, disk, differences, restart, held, released, subscriptions, warnings } = plan;
    let mut out = String::new();
    // Writing to a String cannot fail.
    for warning in warnings {
        let _ = writeln!(out, "{warning}");
    }
    write_differences(&mut out, differences, runs);
    for (reports, what) in [(held, "held, for no file names the client"), (released, "released")] {
        for report in reports.iter().take(SHOWN) {
            let _ =
                writeln!(out, "  subscription {} of {} ({} waiting): {what}", report.id, report.client, report.waiting);
        }
        if reports.len() > SHOWN {
            let _ = writeln!(out, "  and {} more: {what}", reports.len() - SHOWN);
        }
    }
    out.push_str(&counts(subscriptions));
    if runs && !restart.is_empty() {
        let _ = writeln!(out, "waiting for a restart: {}", restart.join(", "));
    }
    let (running, disk) = (short(running), short(disk));
    let _ = match (runs, plan.has_changes()) {
        (true, true)
            if differences.iter().all(|difference| difference.restart)
                && *subscriptions == SubscriptionCounts::default() =>
        {
            writeln!(out, "only a restart would change this: {running} runs, {disk} is on disk")
        }
        (true, true) => writeln!(out, "a reload would change this: {running} runs, {disk} is on disk"),
        (true, false) => writeln!(out, "a reload would change nothing: {running} runs, and is on disk"),
        (false, true) => writeln!(out, "a start would change this: {disk} is on disk"),
        (false, false) => writeln!(out, "a start would change nothing: {disk} ran last, and is on disk"),
    };
    output::printable(&out)
}

/// Each of them, or the first of many: of what is removed that where most waits.
fn write_differences(out: &mut String, differences: &[DifferenceReport], runs: bool) {
    let mut ordered: Vec<_> = differences.iter().collect();
    ordered.sort_by_key(|difference| (&difference.section, Reverse(difference.waiting)));
    let mut shown = BTreeMap::new();
    for difference in ordered {
        let (count, waiting): &mut (usize, u64) = shown.entry((&difference.section, &difference.kind)).or_default();
        *count += 1;
        *waiting += difference.waiting.unwrap_or_default();
        if *count <= SHOWN {
            write_difference(out, difference, runs);
        }
    }
    for ((section, kind), (count, waiting)) in shown.into_iter().filter(|(_, (count, _))| *count > SHOWN) {
        let waiting = if waiting > 0 { format!(", with {waiting} waiting notifications") } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{count} entries of {section} are {kind} in all{waiting}: --json shows each");
    }
}

fn write_difference(out: &mut String, difference: &DifferenceReport, runs: bool) {
    let DifferenceReport { kind, section, id, fields, place, restart, waiting, on_remove } = difference;
    let sign = match kind.as_str() {
        "added" => '+',
        "removed" => '-',
        _ => '~',
    };
    let name = match (section.as_str(), id) {
        (section, Some(id)) => format!("{section} {id}"),
        ("", None) => "(top level)".to_owned(),
        (section, None) => format!("[{section}]"),
    };
    let place = place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    // A start goes by all keys.
    let restart = if runs && *restart { ", waits for a restart" } else { "" };
    let _ = writeln!(out, "{sign} {name}{place}{restart}");
    match (waiting, on_remove.as_deref()) {
        (Some(waiting), Some("fail")) => drop(writeln!(out, "    {waiting} waiting notifications fail")),
        (Some(waiting), Some("drop")) => drop(writeln!(out, "    {waiting} waiting notifications are cancelled")),
        (Some(waiting), None) => {
            let _ = writeln!(out, "    {waiting} waiting notifications go to the other client");
        }
        (Some(waiting), _) => {
            let _ = writeln!(out, "    {waiting} waiting notifications are still delivered, or expire");
        }
        (None, _) => {}
    }
    if kind == "removed" {
        return;
    }
    for FieldReport { key, old, new } in fields {
        let absent = || "(not set)".to_owned();
        let (old, new) = (old.clone(), new.clone().unwrap_or_else(absent));
        let _ = match old {
            None if kind == "added" => writeln!(out, "    {key} = {new}"),
            old => writeln!(out, "    {key}: {} -> {new}", old.unwrap_or_else(absent)),
        };
    }
}
