//! `tidings poll --ack`: lease, print, and acknowledge what standard output took (contracts/events.md, "Poll safely").

use std::collections::HashMap;
use std::time::Duration;

use hyper::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::Call;
use super::credentials::{Api, segment};
use super::exit::{Exit, Failure};
use super::output::{self, Taken};
use super::poll::{PREFER, Poll, one_line};
use super::refusal::refused;

/// How many are leased at once, where nothing else is said.
const PAGE: u16 = 100;

#[derive(Deserialize)]
struct Leased<'a> {
    #[serde(borrow)]
    sets: HashMap<String, &'a RawValue>,
    order: Vec<String>,
}

/// One poll, or one after the other: each acknowledges what the one before it gave, and the last leases nothing.
pub(super) async fn run(arguments: &Poll, api: &Api, authorization: &str) -> Result<Exit, Failure> {
    let path = api.events(&format!("/subscriptions/{}/poll", segment(&arguments.subscription)))?;
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut printed: Vec<String> = Vec::new();
    loop {
        let page = tokio::select! {
            biased;
            page = lease(arguments, api, authorization, &path, &printed) => page?,
            // What this poll was to acknowledge may or may not have been: it is acknowledged again.
            _ = &mut interrupt => None,
        };
        let Some(page) = page else { break };
        printed = page.order;
        let taken = output::result_taken(&page.text)?;
        if taken == Taken::No {
            // Nobody has read it: it comes again when its lease ends.
            return Ok(Exit::Ok);
        }
        if !arguments.follow {
            break;
        }
    }
    if !printed.is_empty() {
        let call = Call::post(path, "application/json", json!({"ack": printed, "maxEvents": 0}).to_string());
        let answer = api.send(call.header(AUTHORIZATION, authorization)).await?;
        if !answer.status.is_success() {
            let what = format!("acknowledge {} notifications that are printed; they come again", printed.len());
            return Err(refused(&what, &answer));
        }
    }
    Ok(Exit::Ok)
}

struct Page {
    order: Vec<String>,
    text: String,
}

async fn lease(
    arguments: &Poll,
    api: &Api,
    authorization: &str,
    path: &str,
    ack: &[String],
) -> Result<Option<Page>, Failure> {
    let wait = arguments.patience();
    let body = json!({
        "ack": ack,
        "maxEvents": arguments.size.unwrap_or(PAGE),
        "returnImmediately": wait.is_none(),
    });
    let mut call = Call::post(path, "application/json", body.to_string()).header(AUTHORIZATION, authorization);
    if let Some(seconds) = wait {
        call.limit += Duration::from_secs(seconds.into());
        call = call.header(PREFER, format!("wait={seconds}"));
    }
    let answer = api.send(call).await?;
    if !answer.status.is_success() {
        return Err(refused(&format!("poll {}", arguments.subscription), &answer));
    }
    let leased: Leased = answer.read("the page")?;
    let text = if arguments.json {
        format!("{}\n", answer.text())
    } else {
        let events = leased.order.iter().filter_map(|id| leased.sets.get(id));
        events.map(|event| one_line(event.get()) + "\n").collect()
    };
    Ok(Some(Page { order: leased.order, text }))
}
