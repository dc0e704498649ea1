//! A subscription as the operator sees it, whichever contract and client it belongs to.

use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use super::endpoint::Endpoint;
use crate::base::clock::Timestamp;
use crate::engine::{Chosen, QueueStatus, SubscriptionReport};
use crate::model::notification::{State, Sums};
use crate::model::subscription::{Hold, Intake, Origin, Subscription as Stored};

/// A subscription with all that is counted of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    /// Its id.
    id: String,
    /// The contract that it belongs to.
    contract: &'static str,
    /// The client that it is for.
    client: String,
    /// The types that it wants.
    event_types: Vec<String>,
    /// The owners that decide what it may see, as they are now.
    owners: Vec<String>,
    /// `api`, or `configuration` where the files declare it.
    #[schema(pattern = "^(api|configuration)$")]
    origin: &'static str,
    /// `open`, or `draining` where nothing more is added to it.
    #[schema(pattern = "^(open|draining)$")]
    intake: &'static str,
    /// Who made it.
    created_by: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// How it is served, how that is doing, and what waits.
    endpoints: Vec<Endpoint>,
    /// Why nothing of it is handed out; empty where it is.
    holds: Vec<Held>,
    /// The queue that is polled.
    queue: Queue,
    /// Its notifications since it was made, by state.
    sums: States,
}

/// That a subscription is held.
#[derive(Debug, Serialize, ToSchema)]
struct Held {
    /// Why: `paused`, `client-removed`, …
    reason: &'static str,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
}

/// What a queue looks like now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Queue {
    /// Queued and unexpired.
    waiting: u64,
    /// Leased, and the lease runs.
    leased: u64,
    /// Unexpired, but held.
    held: u64,
    /// When it was last polled.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_polled: Option<String>,
}

/// Notifications by state: `created` is the sum of all others.
#[derive(Debug, Serialize, ToSchema)]
struct States {
    created: u64,
    queued: u64,
    leased: u64,
    held: u64,
    delivered: u64,
    consumed: u64,
    failed: u64,
    expired: u64,
    cancelled: u64,
}

/// A page of subscriptions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubscriptionPage)]
pub(super) struct Page {
    /// The subscriptions, in the order of their ids.
    subscriptions: Vec<Subscription>,
    /// Where to go on; absent at the end.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// What was ended with a client.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Purged {
    /// Whether nothing was changed.
    dry_run: bool,
    /// The client.
    client: String,
    /// How many subscriptions were ended, or would have been.
    ended: usize,
    /// How many notifications waited for them, which are cancelled with them.
    waiting: u64,
    /// The ids of the subscriptions, the first 1000.
    #[schema(max_items = 1000)]
    subscriptions: Vec<String>,
}

/// The most ids that a purge tells.
const LISTED: usize = 1000;

impl Subscription {
    pub(super) fn of(report: &SubscriptionReport) -> Self {
        let SubscriptionReport { subscription, owners, endpoints, queue, sums } = report;
        let Stored {
            id,
            contract,
            client_id,
            event_types,
            created_by,
            created_at,
            filter: _,
            expires_at: _,
            ended_at: _,
            holders: _,
            organisation: _,
            profile: _,
            updated_at: _,
            origin,
            intake,
            owners: _,
            holds,
            on_remove: _,
            endpoints: _,
        } = &**subscription;
        Self {
            id: id.to_string(),
            contract: contract.as_str(),
            client: client_id.to_string(),
            event_types: event_types.iter().map(ToString::to_string).collect(),
            owners: owners.iter().map(str::to_owned).collect(),
            origin: match origin {
                Origin::Api => "api",
                Origin::Configuration => "configuration",
            },
            intake: match intake {
                Intake::Open => "open",
                Intake::Draining => "draining",
                Intake::Ended => "ended",
            },
            created_by: created_by.clone(),
            created_at: created_at.to_rfc3339_millis(),
            endpoints: endpoints.iter().map(Endpoint::of).collect(),
            holds: holds.iter().map(Held::of).collect(),
            queue: Queue::of(queue),
            sums: States::of(sums),
        }
    }
}

impl Held {
    fn of(hold: &Hold) -> Self {
        let Hold { reason, since } = hold;
        Self { reason: reason.as_str(), since: since.to_rfc3339_millis() }
    }
}

impl Queue {
    fn of(status: &QueueStatus) -> Self {
        let QueueStatus { waiting, leased, held, last_polled } = status;
        Self {
            waiting: *waiting,
            leased: *leased,
            held: *held,
            last_polled: last_polled.map(Timestamp::to_rfc3339_millis),
        }
    }
}

impl States {
    fn of(sums: &Sums) -> Self {
        Self {
            created: sums.created,
            queued: sums.get(State::Queued),
            leased: sums.get(State::Leased),
            held: sums.get(State::Held),
            delivered: sums.get(State::Delivered),
            consumed: sums.get(State::Consumed),
            failed: sums.get(State::Failed),
            expired: sums.get(State::Expired),
            cancelled: sums.get(State::Cancelled),
        }
    }
}

impl Page {
    pub(super) fn of(chosen: &Chosen) -> Self {
        let Chosen { subscriptions, more } = chosen;
        let last = subscriptions.last().filter(|_| *more);
        Self {
            cursor: last.map(|last| cursor::write_id(&last.subscription.id)),
            subscriptions: subscriptions.iter().map(Subscription::of).collect(),
        }
    }
}

impl Purged {
    pub(super) fn of(client: &str, ended: &[SubscriptionReport], dry_run: bool) -> Self {
        let waiting = [State::Queued, State::Leased, State::Held];
        Self {
            dry_run,
            client: client.to_owned(),
            ended: ended.len(),
            waiting: ended.iter().flat_map(|report| waiting.map(|state| report.sums.get(state))).sum(),
            subscriptions: ended.iter().take(LISTED).map(|report| report.subscription.id.to_string()).collect(),
        }
    }
}
