//! `tidings subscriptions`: all of them, or one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::desk::{Admin, Desk};
use super::endpoint::Endpoint;
use crate::cli::client::{Call, Target};
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;
use crate::model::notification::State;

/// How many are asked for at a time.
const PAGE: usize = 1000;

/// Show the subscriptions of all contracts: whom they are for, what waits, whether they are held
#[derive(Args, Debug)]
pub(in crate::cli) struct Subscriptions {
    /// The one to show, with all that is known of it
    id: Option<String>,
    /// Only those of this client
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    client: Option<String>,
    /// Only those that are held: paused, their client removed, or an endpoint of them held or disabled
    #[arg(long, conflicts_with = "id")]
    held: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Page {
    subscriptions: Vec<Value>,
    cursor: Option<String>,
}

/// A subscription that is held.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Held {
    /// Which.
    pub(in crate::cli) id: String,
    /// For example `paused since 2026-…`.
    pub(in crate::cli) why: String,
}

/// The members that are shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    pub(super) id: String,
    contract: String,
    pub(super) client: String,
    event_types: Vec<String>,
    owners: Vec<String>,
    origin: String,
    intake: String,
    created_by: String,
    created_at: String,
    endpoints: Vec<Endpoint>,
    pub(super) holds: Vec<Hold>,
    queue: Queue,
    sums: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hold {
    reason: String,
    since: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queue {
    last_polled: Option<String>,
}

/// What there is for all endpoints together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) waiting: u64,
    in_flight: u64,
    pub(super) held: u64,
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Subscriptions, configuration: &Configuration) -> Result<Exit, Failure> {
    let desk = arguments.admin.desk(configuration).await?;
    match &arguments.id {
        Some(id) => {
            let answer = desk.get(&format!("show {id}"), &format!("/subscriptions/{}", segment(id))).await?;
            let text = if arguments.json { answer.text() + "\n" } else { answer.read::<Subscription>(WHAT)?.whole() };
            output::result(&output::printable(&text))?;
        }
        None => list(arguments, &desk).await?,
    }
    Ok(Exit::Ok)
}

const WHAT: &str = "the subscription";

async fn list(arguments: &Subscriptions, desk: &Desk) -> Result<(), Failure> {
    let mut cursor = None;
    let mut all = Vec::new();
    loop {
        let path = arguments.path(cursor.as_deref());
        let page: Page = desk.get("list the subscriptions", &path).await?.read("the list")?;
        if arguments.json {
            all.extend(page.subscriptions);
        } else {
            let lines = page.subscriptions.into_iter().map(|one| Ok(read(one)?.line()));
            output::result(&output::printable(&lines.collect::<Result<String, Failure>>()?))?;
        }
        if page.cursor.is_none() || page.cursor == cursor {
            break;
        }
        cursor = page.cursor;
    }
    if arguments.json { output::result(&format!("{:#}\n", json!({ "subscriptions": all }))) } else { Ok(()) }
}

fn read(one: Value) -> Result<Subscription, Failure> {
    serde_json::from_value(one)
        .map_err(|error| Failure::new(Exit::Unreachable, format!("a subscription cannot be read: {error}")))
}

impl Subscriptions {
    fn path(&self, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE.to_string());
        if let Some(client) = &self.client {
            query.append_pair("client", client);
        }
        if self.held {
            query.append_pair("held", "true");
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        format!("/subscriptions?{}", query.finish())
    }
}

impl Subscription {
    /// For example `paused since 2026-…`; empty where neither it nor an endpoint of it is held.
    pub(super) fn held(&self) -> String {
        let own = self.holds.iter().map(|hold| format!("{} since {}", hold.reason, hold.since));
        own.chain(self.endpoints.iter().filter_map(Endpoint::held_because)).collect::<Vec<_>>().join(", ")
    }

    /// What there is for all endpoints together.
    pub(super) fn waiting(&self) -> Totals {
        self.endpoints.iter().fold(Totals::default(), |sum, endpoint| Totals {
            waiting: sum.waiting + endpoint.waiting,
            in_flight: sum.in_flight + endpoint.in_flight,
            held: sum.held + endpoint.held,
        })
    }

    fn line(&self) -> String {
        let Totals { waiting, in_flight, held } = self.waiting();
        let mut out =
            format!("{:<36}  {:<16}  waiting {waiting}, leased {in_flight}, held {held}", self.id, self.client);
        // Writing to a String cannot fail.
        if self.intake != "open" {
            let _ = write!(out, ", {}", self.intake);
        }
        let held = self.held();
        if !held.is_empty() {
            let _ = write!(out, ", {held}");
        }
        out.push('\n');
        out
    }

    /// For example `3 created = 1 queued + 2 consumed`.
    fn sums(&self) -> String {
        let of = |name: &str| self.sums.get(name).copied().unwrap_or_default();
        let named = |state: State| Some((of(state.as_str()), state.as_str())).filter(|&(count, _)| count > 0);
        let states: Vec<_> =
            State::ALL.into_iter().filter_map(named).map(|(count, name)| format!("{count} {name}")).collect();
        let states = if states.is_empty() { "0".to_owned() } else { states.join(" + ") };
        format!("{} created = {states}", of("created"))
    }

    fn whole(&self) -> String {
        let Self { id, contract, client, event_types, owners, origin, intake, .. } = self;
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let mut out = format!("{id}\n");
        let mut tell = |title: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {title:<16} {value}");
        };
        tell("contract", contract);
        tell("client", client);
        tell("event types", &event_types.join(", "));
        tell("owners", &or_none(owners.join(", ")));
        tell("comes from", &format!("{origin}, made by {} at {}", self.created_by, self.created_at));
        tell("intake", intake);
        tell("held", &or_none(self.held()));
        tell("last polled", self.queue.last_polled.as_deref().unwrap_or("never"));
        tell("in all", &self.sums());
        for endpoint in &self.endpoints {
            tell("endpoint", &endpoint.name());
            endpoint.doing().iter().for_each(|line| tell("", line));
            tell("", &endpoint.queue());
        }
        out
    }
}

/// The subscriptions that are held, at most 20, as `status` shows them; none where they cannot be asked for without a
/// token.
pub(in crate::cli) async fn held(target: &Target, mount: &str) -> Vec<Held> {
    if !target.is_local_socket() {
        return Vec::new();
    }
    let call = Call::get(format!("{mount}/subscriptions?held=true&limit=20"));
    let Ok(answer) = target.send(call).await else { return Vec::new() };
    let Ok(Page { subscriptions, .. }) = answer.read("the list") else { return Vec::new() };
    let known = subscriptions.into_iter().filter_map(|one| read(one).ok());
    known.map(|one| Held { why: one.held(), id: one.id }).collect()
}
