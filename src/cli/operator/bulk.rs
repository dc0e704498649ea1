//! `tidings replay` and `tidings cancel`: one notification, or all that a filter means.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::consent::Consent;
use super::desk::{Admin, Desk};
use super::notification::Notification;
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// How many one call acts on, so that there is progress to show.
const STEP: u64 = 10_000;

/// Ids that are shown as text; `--json` has the first 1000.
const SHOWN: usize = 20;

/// Ids that are remembered.
const LISTED: usize = 1000;

/// Begin a new round of notifications that have ended: they wait again, with a new deadline
///
/// One by its id, or all that a filter means. Without --state those are consumed, delivered, failed and expired ones;
/// cancelled ones only with --state cancelled. Refused is what cannot be repeated: its event's expirytime has passed,
/// its body is not kept any more, or its subscription is not there any more.
///
/// What was given out in answers that did not arrive whole is put back with --reason answer-unconfirmed.
///
/// Exits with 0 if all was done, 1 if some were refused or you said no.
#[derive(Args, Debug)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    which: Which,
}

/// End notifications that have not ended: they are not handed out any more
///
/// One by its id, or all that a filter means.
///
/// Exits with 0 if all was done, 1 if some were refused or you said no.
#[derive(Args, Debug)]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    which: Which,
}

#[derive(Args, Debug)]
struct Which {
    /// The notification; without it, all that the filter means
    #[arg(conflicts_with_all = ["subscription", "state", "reason", "event_type", "from", "to", "limit"])]
    id: Option<String>,
    /// Only those for this subscription
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Only those in this state: queued, leased, held, delivered, consumed, failed, expired or cancelled
    #[arg(long)]
    state: Option<String>,
    /// Only those that ended or are held for this reason, such as answer-unconfirmed, queue-full, abandoned or paused
    #[arg(long)]
    reason: Option<String>,
    /// Only those of events of this type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only those accepted at or after this instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only those accepted before this instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// At most so many, the oldest first [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    consent: Consent,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// One of the two commands.
#[derive(Clone, Copy)]
struct Action {
    verb: &'static str,
    done: &'static str,
    one: &'static str,
    many: &'static str,
}

const REPLAY: Action = Action { verb: "replay", done: "replayed", one: "retry", many: "/notifications/replays" };
const CANCEL: Action =
    Action { verb: "cancel", done: "cancelled", one: "cancel", many: "/notifications/cancellations" };

/// What was done by one call, and by all.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    dry_run: bool,
    matched: u64,
    done: u64,
    refused: BTreeMap<String, u64>,
    notifications: Vec<String>,
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// Runs `replay`.
pub(in crate::cli) async fn replay(arguments: &Replay, configuration: &Configuration) -> Result<Exit, Failure> {
    run(&arguments.which, REPLAY, configuration).await
}

/// Runs `cancel`.
pub(in crate::cli) async fn cancel(arguments: &Cancel, configuration: &Configuration) -> Result<Exit, Failure> {
    run(&arguments.which, CANCEL, configuration).await
}

async fn run(which: &Which, action: Action, configuration: &Configuration) -> Result<Exit, Failure> {
    let filter = which.filter();
    if which.id.is_none() && filter.is_empty() {
        let text =
            format!("say what to {}: an id, or at least one of the filters, such as --subscription", action.verb);
        return Err(Failure::new(Exit::Usage, text));
    }
    which.consent.can_be_had()?;
    let desk = which.admin.desk(configuration).await?;
    match &which.id {
        Some(id) => one(which, action, &desk, id).await,
        None => many(which, action, &desk, filter).await,
    }
}

async fn one(which: &Which, action: Action, desk: &Desk, id: &str) -> Result<Exit, Failure> {
    let consent = which.consent;
    if !consent.dry_run && !consent.ask(&format!("{} the notification {id}?", capital(action.verb)))? {
        return Ok(Exit::Finding);
    }
    let path = format!("/notifications/{}/{}", segment(id), action.one);
    let answer = desk.post(&format!("{} {id}", action.verb), &path, &json!({ "dryRun": consent.dry_run })).await?;
    let text = if which.json {
        answer.text() + "\n"
    } else {
        let notification: Notification = answer.read("the notification")?;
        let would = if consent.dry_run { format!("it would be {}; now: ", action.done) } else { String::new() };
        format!("{would}{}", notification.line())
    };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

async fn many(which: &Which, action: Action, desk: &Desk, filter: Map<String, Value>) -> Result<Exit, Failure> {
    let consent = which.consent;
    if !consent.dry_run && !consent.is_given() {
        let would = go_through(which, action, desk, &filter, true).await?;
        if would.done == 0 {
            return report(which, action, &would);
        }
        if !consent.ask(&format!("{} {}?", capital(action.verb), would.counted()))? {
            return Ok(Exit::Finding);
        }
    }
    let outcome = go_through(which, action, desk, &filter, consent.dry_run).await?;
    report(which, action, &outcome)
}

/// Calls until all have been looked at, or the limit is reached.
async fn go_through(
    which: &Which,
    action: Action,
    desk: &Desk,
    filter: &Map<String, Value>,
    dry_run: bool,
) -> Result<Outcome, Failure> {
    let mut all = Outcome { dry_run, ..Outcome::default() };
    let mut left = which.limit.unwrap_or(u64::MAX);
    let mut progress = Progress::new();
    loop {
        let mut body = filter.clone();
        body.insert("dryRun".to_owned(), dry_run.into());
        body.insert("limit".to_owned(), left.min(STEP).into());
        let whence = all.cursor.take();
        if let Some(cursor) = &whence {
            body.insert("cursor".to_owned(), cursor.as_str().into());
        }
        let answer = desk.post(&format!("{} them", action.verb), action.many, &body.into()).await;
        let outcome: Outcome =
            answer.and_then(|answer| answer.read("the answer")).map_err(|f| all.before(f, action))?;
        left = left.saturating_sub(outcome.matched);
        all.add(outcome);
        // A server that does not get on would keep us for ever.
        if all.cursor.is_none() || all.cursor == whence || left == 0 {
            return Ok(all);
        }
        progress.show(&all);
    }
}

fn report(which: &Which, action: Action, outcome: &Outcome) -> Result<Exit, Failure> {
    let text = if which.json { outcome.json()? } else { outcome.tell(action) };
    output::result(&output::printable(&text))?;
    Ok(if outcome.refused.is_empty() { Exit::Ok } else { Exit::Finding })
}

impl Which {
    fn filter(&self) -> Map<String, Value> {
        let Self { subscription, state, reason, event_type, from, to, .. } = self;
        let members = [
            ("subscription", subscription),
            ("state", state),
            ("reason", reason),
            ("type", event_type),
            ("from", from),
            ("to", to),
        ];
        let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        given.collect()
    }
}

impl Outcome {
    fn add(&mut self, more: Self) {
        let Self { dry_run: _, matched, done, refused, notifications, cursor } = more;
        self.matched += matched;
        self.done += done;
        for (reason, count) in refused {
            *self.refused.entry(reason).or_default() += count;
        }
        let room = LISTED.saturating_sub(self.notifications.len());
        self.notifications.extend(notifications.into_iter().take(room));
        self.cursor = cursor;
    }

    /// What a failure of a later call leaves unsaid.
    fn before(&self, failure: Failure, action: Action) -> Failure {
        if self.done == 0 || self.dry_run {
            return failure;
        }
        let text = format!("{}\n{} of them were {} before that", failure.text, self.done, action.done);
        Failure { text, ..failure }
    }

    /// For example `12 notifications (3 more refused: event-expired 3)`.
    fn counted(&self) -> String {
        let mut out = match self.done {
            1 => "1 notification".to_owned(),
            n => format!("{n} notifications"),
        };
        if !self.refused.is_empty() {
            let reasons: Vec<_> = self.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let refused: u64 = self.refused.values().sum();
            // Writing to a String cannot fail.
            let _ = write!(out, " ({refused} more refused: {})", reasons.join(", "));
        }
        out
    }

    fn tell(&self, action: Action) -> String {
        let counted = self.counted();
        let mut out = if self.dry_run {
            format!("would {} {counted}\n", action.verb)
        } else {
            format!("{} {counted}\n", action.done)
        };
        for id in self.notifications.iter().take(SHOWN) {
            let _ = writeln!(out, "  {id}");
        }
        let untold = self.done.saturating_sub(SHOWN as u64);
        if untold > 0 {
            let _ = writeln!(out, "  … and {untold} more");
        }
        out
    }

    fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| Failure::new(Exit::Io, format!("cannot write the report: {error}")))
    }
}

fn capital(verb: &str) -> String {
    let mut letters = verb.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// How far it has come, on stderr where that is a terminal; gone when it is dropped.
struct Progress {
    seen: bool,
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { seen: io::stderr().is_terminal(), shown: false }
    }

    fn show(&mut self, outcome: &Outcome) {
        if self.seen {
            self.shown = true;
            let mut err = io::stderr();
            // If stderr is closed there is nobody to show it to.
            let _ = write!(err, "\r{} notifications so far", outcome.matched).and_then(|()| err.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(done: u64, refused: &[(&str, u64)]) -> Outcome {
        Outcome {
            done,
            matched: done + refused.iter().map(|(_, n)| n).sum::<u64>(),
            refused: refused.iter().map(|&(reason, count)| (reason.to_owned(), count)).collect(),
            notifications: (0..done).map(|n| format!("n{n}")).collect(),
            ..Outcome::default()
        }
    }

    #[test]
    fn outcomes_of_several_calls_are_one() {
        let mut all = outcome(999, &[("body-gone", 1)]);
        all.add(outcome(5, &[("body-gone", 2), ("ended", 1)]));
        assert_eq!((all.matched, all.done, all.notifications.len()), (1008, 1004, 1000));
        let told = all.tell(REPLAY);
        assert!(
            told.starts_with("replayed 1004 notifications (4 more refused: body-gone 3, ended 1)\n  n0\n"),
            "{told}"
        );
        assert!(told.ends_with("  n19\n  … and 984 more\n"), "{told}");
        let dry = Outcome { dry_run: true, ..outcome(1, &[]) };
        assert_eq!(dry.tell(CANCEL), "would cancel 1 notification\n  n0\n");
    }

    #[test]
    fn a_failure_on_the_way_says_what_was_done() {
        let failure = || Failure::new(Exit::TryAgain, "busy");
        assert_eq!(outcome(3, &[]).before(failure(), CANCEL).text, "busy\n3 of them were cancelled before that");
        assert_eq!(outcome(0, &[]).before(failure(), CANCEL).text, "busy");
    }
}
