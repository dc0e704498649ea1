//! `tidings explain`: the whole story of a notification or an event, in words.

use std::fmt::Write as _;
use std::iter;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::attempt::Attempt;
use super::desk::{Admin, Desk};
use super::endpoint::Endpoint;
use super::notification::Notification;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;
use crate::model::id::LedgerId;

/// Tell the whole story of a notification or an event
///
/// What it is, whom it is for and why it matched, each time that it was handed out or sent, where it stands, and what
/// happens next and when. A notification that ended as `answer-unconfirmed` was given out in an answer that did not arrive
/// whole; `tidings replay <id>` puts it back.
#[derive(Args, Debug)]
pub(in crate::cli) struct Explain {
    /// The id that we gave to the notification or the event
    id: String,
    /// Print the story as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Story {
    #[serde(flatten)]
    notification: Notification,
    why: Why,
    endpoint: Option<Endpoint>,
    attempts: Vec<Attempt>,
    rounds: Vec<Round>,
    next: Next,
}

#[derive(Deserialize)]
struct Why {
    words: Vec<String>,
    client: Option<String>,
}

#[derive(Deserialize)]
struct Round {
    at: String,
    by: String,
    state: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Next {
    words: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    id: String,
    accepted: String,
    publisher: String,
    #[serde(rename = "type")]
    event_type: String,
    producer_id: Option<String>,
    source: String,
    subject: Option<String>,
    time: Option<String>,
    audience: Option<Vec<String>>,
    expirytime: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    notifications: Vec<Notification>,
    more: bool,
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Explain, configuration: &Configuration) -> Result<Exit, Failure> {
    let Explain { id, json, admin } = arguments;
    let known = LedgerId::parse(id).ok_or_else(|| {
        let text = format!("{id} is no id of an event or a notification: those are UUIDs, as `publish` prints them");
        Failure::new(Exit::Usage, text)
    })?;
    let desk = admin.desk(configuration).await?;
    let text =
        if known.parts().target == 0 { event(&desk, known, *json).await } else { story(&desk, known, *json).await };
    output::result(&output::printable(&text?))?;
    Ok(Exit::Ok)
}

async fn story(desk: &Desk, id: LedgerId, json: bool) -> Result<String, Failure> {
    let answer = desk.get(&format!("explain {id}"), &format!("/notifications/{id}")).await?;
    if json { Ok(answer.text() + "\n") } else { Ok(answer.read::<Story>("the story")?.tell()) }
}

async fn event(desk: &Desk, id: LedgerId, json: bool) -> Result<String, Failure> {
    let answer = desk.get(&format!("explain {id}"), &format!("/events/{id}")).await?;
    if json { Ok(answer.text() + "\n") } else { Ok(answer.read::<Told<'_>>("the event")?.tell()) }
}

/// Lines of a title and a value.
struct Lines(String);

impl Lines {
    fn line(&mut self, title: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {title:<13} {value}");
    }

    fn optional(&mut self, title: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(title, value);
        }
    }

    fn part(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        let _ = writeln!(self.0, "{title}");
        for line in lines {
            let _ = writeln!(self.0, "  {line}");
        }
    }
}

impl Story {
    fn tell(&self) -> String {
        let Self { notification: about, why, endpoint, attempts, rounds, next } = self;
        let mut out = Lines(format!("notification {}\n", about.id));
        out.line("event", &about.event);
        out.optional("type", about.event_type.as_deref());
        let subscription = about.subscription.as_deref().unwrap_or("forgotten");
        let of = why.client.as_ref().map(|client| format!(" of the client {client}")).unwrap_or_default();
        out.line("subscription", &format!("{subscription}{of}, by {}", about.kind));
        out.line("accepted", &about.accepted);
        out.line("state", &about.standing());
        out.line("deadline", &about.deadline);
        let leased =
            if about.kind == "poll" { format!(", leased {} times in it", about.handouts) } else { String::new() };
        out.line("round", &format!("{}{leased}", about.round));
        out.part("why it matched", why.words.iter().cloned());
        if let Some(endpoint) = endpoint.as_ref().filter(|_| about.kind != "poll") {
            out.part("where it goes", iter::once(endpoint.name()).chain(endpoint.doing()));
        }
        let title = if about.kind == "poll" { "handed out" } else { "sent" };
        out.part(title, or_nothing(attempts.iter().flat_map(Attempt::tell), "not yet, as far as is still known"));
        if !rounds.is_empty() {
            out.part("rounds that were asked for", rounds.iter().map(Round::tell));
        }
        out.part("what happens next", [next.words.clone()]);
        out.0
    }
}

fn or_nothing(lines: impl Iterator<Item = String>, nothing: &str) -> Vec<String> {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { vec![nothing.to_owned()] } else { lines }
}

impl Round {
    fn tell(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{} by {}: it was {}{reason} before", self.at, self.by, self.state)
    }
}

impl Told<'_> {
    fn tell(&self) -> String {
        let mut out = Lines(format!("event {}\n", self.id));
        out.line("type", &self.event_type);
        out.line("published by", &self.publisher);
        out.line("accepted", &self.accepted);
        out.line("source", &self.source);
        out.optional("producer's id", self.producer_id.as_deref());
        out.optional("subject", self.subject.as_deref());
        out.optional("time", self.time.as_deref());
        let audience = self.audience.as_ref().map(|owners| owners.join(", "));
        out.line("audience", audience.as_deref().unwrap_or("everyone"));
        out.optional("expires", self.expirytime.as_deref());
        out.line("data", &self.data.map_or_else(|| "none".to_owned(), |data| format!("{} bytes", data.get().len())));
        let lines = self.notifications.iter().map(|one| one.line().trim_end().to_owned());
        out.part("notifications", or_nothing(lines, "none: it matched no subscription, or they have been forgotten"));
        if self.more {
            out.0.push_str("  … and more\n");
        }
        out.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_told_in_words() {
        let story: Story = serde_json::from_str(
            r#"{"id":"n","event":"e","type":"301","subscription":"s","kind":"poll","state":"consumed",
                "reason":"answer-unconfirmed","accepted":"A","deadline":"D","ended":"E","handouts":1,"round":2,
                "why":{"words":["because"],"client":"crm","owners":[],"shared":[]},
                "attempts":[{"at":"T","client":"crm","requestId":"r","confirmed":false}],
                "rounds":[{"at":"R","by":"uid:0","state":"expired"}],
                "next":{"words":"nothing","what":"none","repeatable":true}}"#,
        )
        .unwrap();
        let told = story.tell();
        for expected in [
            "s of the client crm, by poll",
            "consumed (answer-unconfirmed) since E",
            "  because\n",
            "T to crm (request r): consumed, and the answer is not known",
            "R by uid:0: it was expired before",
            "what happens next\n  nothing\n",
        ] {
            assert!(told.contains(expected), "{expected} in {told}");
        }
    }

    #[test]
    fn what_is_sent_is_told_with_its_endpoint_and_each_attempt() {
        let story: Story = serde_json::from_str(
            r#"{"id":"n","event":"e","type":"301","subscription":"s","kind":"webhook","state":"held",
                "reason":"circuit-open","accepted":"A","deadline":"D","handouts":0,"round":1,
                "why":{"words":["because"],"client":"crm"},
                "endpoint":{"kind":"webhook","target":"https://h/hook","policy":"plant","ordering":"strict",
                    "state":"held","reason":"circuit-open","since":"S","nextProbe":"P","failures":6,"failingSince":"F",
                    "lastFault":"it answered 503","ramping":false,"waiting":0,"held":3,"inFlight":0},
                "attempts":[{"number":1,"at":"T","tookMillis":120,"connectMillis":14,"answerMillis":105,
                    "outcome":"fault","reason":"status-503","status":503,"detail":"it answered 503",
                    "answer":"try\nlater","probe":false},
                    {"number":2,"at":"U","tookMillis":3,"outcome":"fault","reason":"connect-refused",
                    "detail":"nobody listens there","probe":true}],
                "rounds":[],"next":{"words":"its endpoint is held","what":"probe","at":"P"}}"#,
        )
        .unwrap();
        let told = story.tell();
        for expected in [
            "where it goes\n  webhook https://h/hook (policy plant) in strict order\n  held (circuit-open since S), next tried at P\n",
            "  6 failures in a row since F, the last one: it answered 503\n",
            "sent\n  1. T: fault 503 after 120 ms (connection 14 ms, answer 105 ms)\n",
            "it answered: try later\n",
            "  2. U, to see whether it is there again: fault (connect-refused) after 3 ms\n     nobody listens there\n",
            "what happens next\n  its endpoint is held\n",
        ] {
            assert!(told.contains(expected), "{expected} in {told}");
        }
        assert!(!told.contains("leased"), "{told}");
    }
}
