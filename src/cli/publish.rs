//! `tidings publish`: one event from arguments, or many from a file.

use std::io::Read as _;

use clap::Args;
use hyper::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::batches::{self, Completion, Source};
use super::client::{Answer, Call};
use super::credentials::{Credentials, Server};
use super::exit::{Exit, Failure};
use super::output;
use super::refusal::refused;
use super::settings::Configuration;
use crate::base::clock::SystemClock;
use crate::base::random::SystemRandomness;

/// The most data that is read from a file or standard input, in bytes; the server's own limit is smaller.
const MAX_DATA: u64 = 16 << 20;

/// Publish one event, or those of a file
///
/// An answer means: stored, handed to every subscription that matches, and on disk. A file has one event a line, as JSON,
/// or one JSON array of events; they are sent in batches, each stored whole or not at all. Events without an id get one.
#[derive(Args, Debug)]
pub(super) struct Publish {
    /// A file of events, or - for standard input; in place of --type
    #[arg(value_name = "FILE", required_unless_present = "event_type",
        conflicts_with_all = ["event_type", "data", "id", "subject", "time", "audience", "expirytime"])]
    file: Option<String>,
    /// The event's type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Its data: JSON, @FILE, or @- for standard input
    #[arg(long, value_name = "JSON|@FILE")]
    data: Option<String>,
    /// Its id: with the source it makes a repeat known as one
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Its source, or that of the file's events without one [default: urn:tidings:client:CLIENT]
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// What it is about
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// When it happened (RFC 3339)
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// An owner that it is for; may be repeated. Without one it is for everybody
    #[arg(long, value_name = "OWNER")]
    audience: Vec<String>,
    /// When it is worth nothing any more (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expirytime: Option<String>,
    /// Print the server's answer as it is
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    credentials: Credentials,
}

/// The `application/json` form of contracts/events.md.
#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expirytime: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
    duplicate: bool,
    matched: u64,
    #[serde(default)]
    expires: Option<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: &Publish, configuration: &Configuration) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.file {
        return many(file, arguments, configuration).await;
    }
    let body = arguments.body()?;
    let api = arguments.server.find(configuration)?;
    let authorization = arguments.credentials.authorize(&api, configuration).await?;
    let call = Call::post(api.events("/events")?, "application/json", body).header(AUTHORIZATION, authorization);
    let answer = api.send(call).await?;
    if !answer.status.is_success() {
        return Err(refused("publish", &answer));
    }
    let text = if arguments.json { format!("{}\n", answer.text()) } else { sentence(&answer)? };
    output::result(&text)?;
    Ok(Exit::Ok)
}

async fn many(file: &str, arguments: &Publish, configuration: &Configuration) -> Result<Exit, Failure> {
    let (source, size) = Source::open(file)?;
    let api = arguments.server.find(configuration)?;
    let authorization = arguments.credentials.authorize(&api, configuration).await?;
    let (clock, random) = (SystemClock, SystemRandomness::default());
    let completion = Completion { source: arguments.source(), clock: &clock, random: &random };
    let receipts = |answer: &Answer| if arguments.json { batches::receipt_lines(answer) } else { Ok(()) };
    let published = batches::publish(source, size, &completion, &api, &authorization, receipts).await?;
    if !arguments.json {
        output::result(&published.sentence())?;
    }
    Ok(Exit::Ok)
}

impl Publish {
    /// The source of a file's events that have none.
    fn source(&self) -> String {
        let default = || format!("urn:tidings:client:{}", self.credentials.client().unwrap_or("cli"));
        self.source.clone().unwrap_or_else(default)
    }

    fn body(&self) -> Result<String, Failure> {
        let data = self.data.as_deref().map(read_data).transpose()?;
        let event = Event {
            r#type: self.event_type.as_deref().unwrap_or_default(),
            id: self.id.as_deref(),
            source: self.source.as_deref(),
            subject: self.subject.as_deref(),
            time: self.time.as_deref(),
            audience: (!self.audience.is_empty()).then(|| self.audience.join(",")),
            expirytime: self.expirytime.as_deref(),
            data: data.as_deref(),
        };
        serde_json::to_string(&event)
            .map_err(|error| Failure::new(Exit::Usage, format!("cannot write the event: {error}")))
    }
}

/// The data, byte for byte; the server checks it more closely.
fn read_data(argument: &str) -> Result<Box<RawValue>, Failure> {
    let text = match argument.strip_prefix('@') {
        None => argument.to_owned(),
        Some("-") => read_bounded(std::io::stdin(), "standard input")?,
        Some(path) => {
            let file = std::fs::File::open(path)
                .map_err(|error| Failure::new(Exit::Io, format!("cannot read the data in {path}: {error}")))?;
            read_bounded(file, path)?
        }
    };
    let name = if argument.starts_with('@') { argument } else { "--data" };
    RawValue::from_string(text).map_err(|error| {
        Failure::new(Exit::Usage, format!("{name} is not JSON: {error}; text needs quotes: --data '\"text\"'"))
    })
}

fn read_bounded(from: impl std::io::Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    from.take(MAX_DATA + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Io, format!("cannot read the data in {name}: {error}")))?;
    if text.len() as u64 > MAX_DATA {
        return Err(Failure::new(Exit::Usage, format!("the data in {name} is larger than {MAX_DATA} bytes")));
    }
    Ok(text)
}

fn sentence(answer: &Answer) -> Result<String, Failure> {
    let accepted: Accepted = answer.read("the answer")?;
    let known = if accepted.duplicate { " (a repeat: it was stored before)" } else { "" };
    let until = accepted.expires.map(|at| format!(", the last until {at}")).unwrap_or_default();
    let text = match accepted.matched {
        0 => format!("{}{known}: matches no subscription\n", accepted.id),
        1 => format!("{}{known}: matches 1 subscription{until}\n", accepted.id),
        n => format!("{}{known}: matches {n} subscriptions{until}\n", accepted.id),
    };
    Ok(output::printable(&text))
}
