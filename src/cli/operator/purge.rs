//! `tidings purge --client`: an end to all that a client has made.

use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::consent::Consent;
use super::desk::{Admin, Desk};
use crate::cli::client::Answer;
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// Subscriptions that are shown as text; `--json` has the first 1000.
const SHOWN: usize = 20;

/// Delete all subscriptions that were made through an API for a client
///
/// What waits for them is cancelled. It is meant for clients that the configuration no longer names, whose
/// subscriptions are held as client-removed. Those that the configuration declares are not touched.
#[derive(Args, Debug)]
pub(in crate::cli) struct Purge {
    /// The client
    #[arg(long, value_name = "ID")]
    client: String,
    #[command(flatten)]
    consent: Consent,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Purged {
    ended: u64,
    waiting: u64,
    subscriptions: Vec<String>,
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Purge, configuration: &Configuration) -> Result<Exit, Failure> {
    let Purge { consent, client, .. } = arguments;
    consent.can_be_had()?;
    let desk = arguments.admin.desk(configuration).await?;
    if !consent.dry_run && !consent.is_given() {
        let would: Purged = purge(&desk, client, true).await?.read("the answer")?;
        if would.ended > 0 && !consent.ask(&format!("Delete {} of {client}?", would.counted()))? {
            return Ok(Exit::Finding);
        }
    }
    let answer = purge(&desk, client, consent.dry_run).await?;
    let text = if arguments.json { answer.text() + "\n" } else { tell(&answer, consent.dry_run)? };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

async fn purge(desk: &Desk, client: &str, dry_run: bool) -> Result<Answer, Failure> {
    let path = format!("/clients/{}/purge", segment(client));
    desk.post(&format!("purge {client}"), &path, &json!({ "dryRun": dry_run })).await
}

fn tell(answer: &Answer, dry_run: bool) -> Result<String, Failure> {
    let purged: Purged = answer.read("the answer")?;
    let verb = if dry_run { "would delete" } else { "deleted" };
    let mut out = format!("{verb} {}\n", purged.counted());
    // Writing to a String cannot fail.
    for id in purged.subscriptions.iter().take(SHOWN) {
        let _ = writeln!(out, "  {id}");
    }
    let untold = purged.ended.saturating_sub(SHOWN as u64);
    if untold > 0 {
        let _ = writeln!(out, "  … and {untold} more");
    }
    Ok(out)
}

impl Purged {
    fn counted(&self) -> String {
        let subscriptions = if self.ended == 1 { "subscription" } else { "subscriptions" };
        let notifications = if self.waiting == 1 { "notification waits" } else { "notifications wait" };
        format!("{} {subscriptions}, for which {} {notifications}", self.ended, self.waiting)
    }
}
