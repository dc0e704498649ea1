//! `tidings clock accept`.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::consent::Consent;
use super::desk::Admin;
use crate::cli::client::Answer;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// What is done about the machine's clock
#[derive(Args, Debug)]
pub(in crate::cli) struct Clock {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Accept(Accept),
}

/// Trust the machine's clock as it is, where it is in doubt
///
/// While it is in doubt, what looks expired by it is withheld, and nothing ends or is deleted. Once it is accepted, what
/// has expired by it ends. A clock that is wrong is set right instead: the doubt ends by itself.
#[derive(Args, Debug)]
struct Accept {
    #[command(flatten)]
    consent: Consent,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Shown {
    doubt: Option<Doubt>,
}

#[derive(Deserialize)]
struct Doubt {
    wall: String,
    ledger: String,
    cause: String,
}

#[derive(Deserialize)]
struct Accepted {
    accepted: bool,
}

const TRUSTED: &str = "the clock is not in doubt: there is nothing to accept\n";

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Clock, configuration: &Configuration) -> Result<Exit, Failure> {
    let Verb::Accept(Accept { consent, json, admin }) = &arguments.verb;
    consent.can_be_had()?;
    let desk = admin.desk(configuration).await?;
    let shown = desk.get("look at the clock", "/clock").await?;
    let doubt = shown.read::<Shown>(WHAT)?.doubt;
    if let Some(doubt) = doubt.as_ref().filter(|_| !consent.dry_run)
        && !consent.ask(&format!("{}. Accept the clock as it is?", doubt.words()))?
    {
        return Ok(Exit::Finding);
    }
    let answer =
        if consent.dry_run { shown } else { desk.post("accept the clock", "/clock/accept", &json!({})).await? };
    let text = match doubt {
        _ if *json => answer.text() + "\n",
        Some(doubt) if consent.dry_run => format!("{}: it would be accepted\n", doubt.words()),
        _ => sentence(&answer, consent.dry_run)?,
    };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

const WHAT: &str = "the answer";

fn sentence(answer: &Answer, dry_run: bool) -> Result<String, Failure> {
    let accepted = !dry_run && answer.read::<Accepted>(WHAT)?.accepted;
    let text = if accepted { "the clock is accepted: what has expired by it ends\n" } else { TRUSTED };
    Ok(text.to_owned())
}

impl Doubt {
    fn words(&self) -> String {
        let Self { wall, ledger, cause } = self;
        format!("the clock shows {wall}, the ledger {ledger}: {cause}")
    }
}
