//! `tidings poll`: looks at what waits for a subscription, or takes it, one page or for as long as it is left to.
//!
//! Without a wish it looks, as the operator does, and changes nothing. `--ack` is the safe poll of contracts/events.md: what
//! standard output has taken is acknowledged, all else comes again. `--consume` is the polling contract's own poll.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use hyper::header::{AUTHORIZATION, HeaderName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Answer, Call};
use super::credentials::{Api, Credentials, Server, segment};
use super::exit::{Exit, Failure};
use super::operator::Admin;
use super::operator::peek::{self, Peek};
use super::output::{self, Taken};
use super::refusal::refused;
use super::settings::Configuration;

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long `--follow` lets the server wait for something to arrive, where nothing else is said.
pub(super) const FOLLOW_SECONDS: u32 = 30;

/// Look at what waits for a subscription, or take it
///
/// Each notification is one line of JSON. Without --ack or --consume nothing is taken: the operator's list is shown, in
/// order. With --ack what was printed is acknowledged, and what was not comes again; with --consume a notification that was
/// printed is not given out again.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Poll {
    /// The subscription
    pub(super) subscription: String,
    /// Lease, print, and acknowledge what standard output took
    #[arg(long, conflicts_with = "consume")]
    ack: bool,
    /// Consume what is given out, as the polling contract's clients do
    #[arg(long)]
    consume: bool,
    /// Go on until interrupted
    #[arg(long, conflicts_with = "idempotency_key")]
    pub(super) follow: bool,
    /// The most notifications in a page, 1 to 1000 [default: the server's, or 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) size: Option<u16>,
    /// How many seconds to wait where there is nothing yet
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(super) wait: Option<u32>,
    /// Gives the same page again where it was used before: up to 64 visible characters; needs --consume
    #[arg(long, value_name = "KEY", requires = "consume")]
    idempotency_key: Option<String>,
    /// Print the pages as they are
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    credentials: Credentials,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

/// Runs the command.
pub(super) async fn run(arguments: &Poll, configuration: &Configuration) -> Result<Exit, Failure> {
    if !arguments.ack && !arguments.consume {
        return arguments.peek(configuration).await;
    }
    let api = arguments.server.find(configuration)?;
    let authorization = arguments.credentials.authorize(&api, configuration).await?;
    if arguments.ack {
        super::acknowledge::run(arguments, &api, &authorization).await
    } else {
        arguments.consume(&api, &authorization).await
    }
}

impl Poll {
    async fn peek(&self, configuration: &Configuration) -> Result<Exit, Failure> {
        if self.wait.is_some() {
            return Err(Failure::new(Exit::Usage, "--wait is for --ack and --consume; use --follow to go on looking"));
        }
        let peek = Peek { subscription: &self.subscription, size: self.size, follow: self.follow };
        let (client, token) = self.credentials.parts();
        peek::run(&peek, &Admin::of(self.server.url(), client, token), configuration).await
    }

    /// Takes page after page, or one. An interrupt ends it between two pages: what a page consumed is printed.
    async fn consume(&self, api: &Api, authorization: &str) -> Result<Exit, Failure> {
        let path = api.polling(&format!("/subscriptions/{}/notifications", segment(&self.subscription)))?;
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            // A connection that is closed while the server waits consumes nothing.
            let answer = tokio::select! {
                biased;
                answer = api.send(self.call(&path, authorization)) => answer?,
                _ = &mut interrupt => return Ok(Exit::Ok),
            };
            if !answer.status.is_success() {
                return Err(refused(&format!("poll {}", self.subscription), &answer));
            }
            let text = if self.json { format!("{}\n", answer.text()) } else { lines(&answer)? };
            if output::result_taken(&text)? == Taken::No || !self.follow {
                return Ok(Exit::Ok);
            }
        }
    }

    fn call(&self, path: &str, authorization: &str) -> Call {
        let query = self.size.map(|size| format!("?size={size}")).unwrap_or_default();
        let mut call = Call::get(format!("{path}{query}")).header(AUTHORIZATION, authorization);
        if let Some(seconds) = self.patience() {
            call.limit += Duration::from_secs(seconds.into());
            call = call.header(PREFER, format!("wait={seconds}"));
        }
        match &self.idempotency_key {
            Some(key) => call.header(IDEMPOTENCY_KEY, key),
            None => call,
        }
    }

    /// How many seconds the server may wait for something to arrive.
    pub(super) fn patience(&self) -> Option<u32> {
        self.wait.or_else(|| self.follow.then_some(FOLLOW_SECONDS))
    }
}

fn lines(answer: &Answer) -> Result<String, Failure> {
    let page: Page = answer.read("the page")?;
    Ok(page.results.iter().map(|result| one_line(result.get()) + "\n").collect())
}

/// JSON on one line: a line end can only stand between its tokens, any other control character only in its strings.
pub(super) fn one_line(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_line_and_the_same_json() {
        let json = "{\n\t\"a\": \"x\u{9b}y\",\r\n \"b\": 1.50}";
        let line = one_line(json);
        assert_eq!(line, "{  \"a\": \"x\\u009by\",   \"b\": 1.50}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(json), value(&line));
    }
}
