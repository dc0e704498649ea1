//! `tidings suppressions`: addresses that are not mailed to for a while, and one of them mailed to again.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Admin, Desk};
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// How many are asked for at a time.
const PAGE: usize = 1000;

/// Show the addresses that are not mailed to for a while, or have one of them mailed to again
///
/// An address of which a relay says that it does not exist (5.1.1) is not mailed to for some time (`email.suppress_for`).
#[derive(Args, Debug)]
pub(in crate::cli) struct Suppressions {
    /// Have this address mailed to again
    #[arg(long, value_name = "ADDRESS")]
    lift: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Page {
    suppressions: Vec<Value>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    address: String,
    since: String,
    until: String,
    reply: String,
}

#[derive(Deserialize)]
struct Lifted {
    lifted: bool,
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Suppressions, configuration: &Configuration) -> Result<Exit, Failure> {
    let Suppressions { lift, json, admin } = arguments;
    let desk = admin.desk(configuration).await?;
    match lift {
        Some(address) => self::lift(&desk, address, *json).await?,
        None => list(&desk, *json).await?,
    }
    Ok(Exit::Ok)
}

async fn lift(desk: &Desk, address: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/suppressions/{}", segment(address));
    let answer = desk.delete(&format!("lift the suppression of {address}"), &path).await?;
    let text = if json {
        answer.text() + "\n"
    } else if answer.read::<Lifted>("the answer")?.lifted {
        format!("{address} is mailed to again\n")
    } else {
        format!("{address} was not suppressed: there is nothing to lift\n")
    };
    output::result(&output::printable(&text))
}

async fn list(desk: &Desk, json: bool) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    let mut all = Vec::new();
    loop {
        let from = cursor.as_ref().map(|cursor| format!("&cursor={}", segment(cursor))).unwrap_or_default();
        let path = format!("/suppressions?limit={PAGE}{from}");
        let page: Page = desk.get("list the suppressed addresses", &path).await?.read("the list")?;
        if json {
            all.extend(page.suppressions);
        } else {
            let lines: Result<String, Failure> = page.suppressions.into_iter().map(line).collect();
            output::result(&output::printable(&lines?))?;
        }
        if page.cursor.is_none() || page.cursor == cursor {
            break;
        }
        cursor = page.cursor;
    }
    if json { output::result(&format!("{:#}\n", json!({ "suppressions": all }))) } else { Ok(()) }
}

fn line(one: Value) -> Result<String, Failure> {
    let read = serde_json::from_value(one);
    let Suppression { address, since, until, reply } =
        read.map_err(|error| Failure::new(Exit::Unreachable, format!("a suppression cannot be read: {error}")))?;
    let reply = reply.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(format!("{address}  since {since} until {until}: {reply}\n"))
}
