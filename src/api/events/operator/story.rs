//! The whole story of a notification: why it matched, each attempt, each round, what happens next and when; as members
//! for programs and in words for people.

use std::fmt::Write as _;

use serde::Serialize;
use utoipa::ToSchema;

use super::attempt::{Attempt, attempts_of};
use super::endpoint::Endpoint;
use super::notification::Notification;
use super::openapi::state;
use crate::base::clock::Timestamp;
use crate::engine::{EndpointHold, Next, NotDone, Repeated, Round, StoryReport, Why};
use crate::model::owners::Owners;

/// The whole story of a notification: its own members, and these.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Story {
    #[serde(flatten)]
    notification: Notification,
    /// Why its event was matched.
    why: Matched,
    /// Where it goes, as that is now; absent where it is not there any more.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint>,
    /// Each time that it was handed out or sent, oldest first, as far as the history still knows: of many sendings the
    /// first 16 and the last 48.
    attempts: Vec<Attempt>,
    /// Each round that somebody asked for, oldest first.
    rounds: Vec<Asked>,
    /// The repeats of its event that were recognised, and to which nothing was sent; absent without any.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<Repeats>,
    /// What happens next.
    next: Step,
}

/// Why an event was matched, told from the subscription and its owners as they are now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Matched {
    /// For people.
    words: Vec<String>,
    /// The client that the subscription is for; absent where it is not there any more.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// Whether the subscription lists the event's type; absent where one of the two is not there any more, and of a
    /// customer, who was named by a command.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    type_listed: Option<bool>,
    /// Whom the event is for; absent where it is for everyone, or its body has gone.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<Vec<String>>,
    /// The owners of the subscription.
    owners: Vec<String>,
    /// Those of them that are in the audience.
    shared: Vec<String>,
}

/// Repeats of an event.
#[derive(Debug, Serialize, ToSchema)]
struct Repeats {
    /// How many there were.
    times: u64,
    /// When the last of them came.
    #[schema(format = DateTime)]
    last: String,
}

impl Repeats {
    fn of(Repeated { times, last }: Repeated) -> Self {
        Self { times, last: last.to_rfc3339_millis() }
    }
}

/// A round that somebody asked for.
#[derive(Debug, Serialize, ToSchema)]
struct Asked {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    by: String,
    /// The state that it was in before.
    #[schema(schema_with = state)]
    state: &'static str,
    /// The reason of that.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What happens next.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    /// For people.
    words: String,
    /// Of what is polled `handout` or `lease-end`; of what is sent `attempt`, `outcome` (it is being sent), or `probe` (its
    /// endpoint is held); `release` (its subscription is held); `none` once it has ended.
    #[schema(pattern = "^(handout|lease-end|attempt|outcome|probe|release|none)$")]
    what: &'static str,
    /// When that happens: of `attempt` and `probe` not before, and absent where it may be at once, or waits for somebody;
    /// of `handout`, `outcome` and `release` when it expires if it does not happen.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Of one that has ended: whether a retry or replay could begin a new round of it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    repeatable: Option<bool>,
}

impl Story {
    pub(super) fn of(report: &StoryReport) -> Self {
        let StoryReport { story, endpoint, why, next } = report;
        Self {
            notification: Notification::of(&story.view),
            why: Matched::of(why, story.view.event_type.as_ref().map_or("", |t| t.as_str())),
            endpoint: endpoint.as_ref().map(Endpoint::of),
            attempts: attempts_of(story),
            rounds: story.rounds.iter().map(Asked::of).collect(),
            repeated: story.repeated.map(Repeats::of),
            next: Step::of(next),
        }
    }
}

impl Matched {
    fn of(why: &Why, event_type: &str) -> Self {
        let Why { subscription: _, named, client, type_listed, audience, owners, shared } = why;
        let names = |owners: &Owners| owners.iter().map(str::to_owned).collect::<Vec<_>>();
        Self {
            words: if *named {
                vec![about_command(why)]
            } else {
                vec![about_type(why, event_type), about_audience(why)]
            },
            client: client.as_ref().map(ToString::to_string),
            type_listed: *type_listed,
            audience: audience.as_ref().and_then(Option::as_ref).map(names),
            owners: names(owners),
            shared: shared.clone(),
        }
    }
}

fn about_command(why: &Why) -> String {
    let customer = why.subscription.as_ref().map(ToString::to_string).unwrap_or_default();
    let gone = if why.client.is_none() { ", who is not there any more" } else { "" };
    format!("a command named {customer}{gone}; it is for nobody else")
}

fn about_type(why: &Why, event_type: &str) -> String {
    let Some(subscription) = &why.subscription else {
        return "the subscription that it was for has been forgotten".to_owned();
    };
    match why.type_listed {
        Some(true) => format!("the subscription {subscription} lists the type {event_type}"),
        Some(false) => {
            format!("the subscription {subscription} listed the type {event_type} then; it does not any more")
        }
        None if why.client.is_none() => format!("the subscription {subscription} is not there any more"),
        None => format!("the subscription {subscription} listed the type then; the event is not kept any more"),
    }
}

fn about_audience(why: &Why) -> String {
    match &why.audience {
        None => "whom the event was for is not kept any more".to_owned(),
        Some(None) => "the event is for everyone: it names no audience".to_owned(),
        Some(Some(_)) if !why.shared.is_empty() => {
            format!("the event's audience and the subscription's owners share {}", why.shared.join(", "))
        }
        Some(Some(audience)) => {
            format!("the event is for {}, of whom the subscription's owners then had one", audience.to_audience())
        }
    }
}

impl Asked {
    fn of(round: &Round) -> Self {
        let Round { at, by, before: (state, reason) } = round;
        Self { at: at.to_rfc3339_millis(), by: by.clone(), state: state.as_str(), reason: reason.clone() }
    }
}

impl Step {
    fn of(next: &Next) -> Self {
        let (what, at) = match next {
            Next::HandOut { expires } => ("handout", Some(*expires)),
            Next::LeaseEnd { at, .. } => ("lease-end", Some(*at)),
            Next::Attempt { due, .. } => ("attempt", *due),
            Next::Outcome { expires } => ("outcome", Some(*expires)),
            Next::Probe { hold, .. } => ("probe", hold.probe_at),
            Next::Release { expires, .. } => ("release", Some(*expires)),
            Next::Nothing { .. } => ("none", None),
        };
        let repeatable = match next {
            Next::Nothing { refused } => Some(refused.is_none()),
            _ => None,
        };
        Self { words: in_words(next), what, at: at.map(Timestamp::to_rfc3339_millis), repeatable }
    }
}

fn in_words(next: &Next) -> String {
    match next {
        Next::HandOut { expires } => {
            format!("it waits to be handed out, and expires at {} if it is not", expires.to_rfc3339_millis())
        }
        Next::LeaseEnd { at, expires } => {
            let then = if *expires { "expires" } else { "waits again, or fails if it was handed out too often" };
            format!("its lease ends at {}: unless it is acknowledged before, it {then}", at.to_rfc3339_millis())
        }
        Next::Attempt { due, expires, down } => attempt(*due, *expires, down.as_ref()),
        Next::Outcome { expires } => {
            let expires = expires.to_rfc3339_millis();
            format!("it is being sent; if it is not taken it is tried again, and expires at {expires}")
        }
        Next::Probe { hold, expires } => probe(hold, *expires),
        Next::Release { holds, expires } => {
            let mut words = "it is held".to_owned();
            for (index, hold) in holds.iter().enumerate() {
                let between = if index == 0 { ':' } else { ',' };
                // Writing to a String cannot fail.
                let _ = write!(words, "{between} {} since {}", hold.reason.as_str(), hold.since.to_rfc3339_millis());
            }
            let _ = write!(words, "; it waits again after that, and expires at {} if not", expires.to_rfc3339_millis());
            words
        }
        Next::Nothing { refused: None } => "nothing: it has ended; a retry would begin a new round".to_owned(),
        Next::Nothing { refused: Some(refused) } => format!("nothing: it has ended, and cannot be retried: {refused}"),
    }
}

fn attempt(due: Option<Timestamp>, expires: Timestamp, down: Option<&(Timestamp, String)>) -> String {
    let when = due.map_or("as soon as its turn comes".to_owned(), |due| format!("at {}", due.to_rfc3339_millis()));
    let mut words = format!("it is sent {when}, and expires at {} if it is not taken", expires.to_rfc3339_millis());
    if let Some((since, fault)) = down {
        // Writing to a String cannot fail.
        let _ = write!(words, "; what it goes through has not worked since {}: {fault}", since.to_rfc3339_millis());
    }
    words
}

fn probe(hold: &EndpointHold, expires: Timestamp) -> String {
    let EndpointHold { reason, since, probe_at, probes: _ } = hold;
    let next = probe_at.map_or("nothing is sent to it until somebody resumes it".to_owned(), |at| {
        format!("it is tried at {}, and sent to again once it takes something", at.to_rfc3339_millis())
    });
    let (reason, since, expires) = (reason.as_str(), since.to_rfc3339_millis(), expires.to_rfc3339_millis());
    format!("its endpoint is held ({reason} since {since}): {next}; it expires at {expires} if not")
}

/// The name of why something was not done.
pub(super) const fn name(reason: NotDone) -> &'static str {
    match reason {
        NotDone::NotFound => "not-found",
        NotDone::Ended => "ended",
        NotDone::Waiting => "waiting",
        NotDone::EventExpired => "event-expired",
        NotDone::BodyGone => "body-gone",
        NotDone::SubscriptionGone => "subscription-gone",
    }
}
