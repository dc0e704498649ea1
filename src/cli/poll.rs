//! `tidings poll --consume`: one page of a subscription, as the polling contract gives it.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use hyper::header::{AUTHORIZATION, HeaderName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Answer, Call};
use super::credentials::{Credentials, Server, segment};
use super::exit::{Exit, Failure};
use super::output;
use super::refusal::refused;
use super::settings::Configuration;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Poll a page of notifications, which consumes them
///
/// Each result is one line of JSON. A notification that was printed is not given out again; with --idempotency-key
/// the same page can be asked for again within ten minutes.
#[derive(Args, Debug)]
pub(super) struct Poll {
    /// The subscription
    subscription: String,
    /// Consume what is given out; needed, because this release cannot look without consuming
    #[arg(long)]
    consume: bool,
    /// The most notifications in the page, 1 to 1000 [default: the server's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    size: Option<u16>,
    /// How many seconds to wait where there is nothing yet
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    wait: Option<u32>,
    /// Gives the same page again where it was used before: up to 64 visible characters
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the page as it is
    #[arg(long)]
    json: bool,
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
    if !arguments.consume {
        return Err(Failure::new(
            Exit::Usage,
            "this release polls only with --consume, which takes the notifications out of the queue; add it",
        ));
    }
    let api = arguments.server.find(configuration)?;
    let authorization = arguments.credentials.authorize(&api, configuration).await?;
    let path = api.polling(&format!("/subscriptions/{}/notifications", segment(&arguments.subscription)))?;
    let answer = api.send(arguments.call(&path, authorization)).await?;
    if !answer.status.is_success() {
        return Err(refused(&format!("poll {}", arguments.subscription), &answer));
    }
    let text = if arguments.json { format!("{}\n", answer.text()) } else { lines(&answer)? };
    output::result(&text)?;
    Ok(Exit::Ok)
}

impl Poll {
    fn call(&self, path: &str, authorization: String) -> Call {
        let query = self.size.map(|size| format!("?size={size}")).unwrap_or_default();
        let mut call = Call::get(format!("{path}{query}")).header(AUTHORIZATION, authorization);
        if let Some(seconds) = self.wait {
            call.limit += Duration::from_secs(seconds.into());
            call = call.header(PREFER, format!("wait={seconds}"));
        }
        match &self.idempotency_key {
            Some(key) => call.header(IDEMPOTENCY_KEY, key),
            None => call,
        }
    }
}

fn lines(answer: &Answer) -> Result<String, Failure> {
    let page: Page = answer.read("the page")?;
    Ok(page.results.iter().map(|result| one_line(result.get()) + "\n").collect())
}

/// JSON on one line: a line end can only stand between its tokens, any other control character only in its strings.
fn one_line(json: &str) -> String {
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
