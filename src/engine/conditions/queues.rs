//! What becomes of notifications: nobody polls, they expire, there are too many.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::finding::{Finding, Key, Repeat, is_told, notifications};
use super::kept::Kept;
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::id::{EndpointNumber, SubscriptionId};
use crate::model::notification::State;
use crate::model::subscription::{Subscription, SubscriptionSet};
use crate::store::{KeptCondition, QueueStatus, Store, SubscriptionSums};

/// How long something has to wait that nobody polls.
const IDLE_AFTER: Duration = Duration::from_hours(1);
/// How long nothing may be refused until a queue counts as not full any more.
const FULL_FOR: Duration = Duration::from_hours(1);
/// Under which name it is kept how many notifications have been told to have expired.
pub(super) const EXPIRED_TOLD: &str = "tidings.notifications.expired/told";

/// What was seen before; nothing of it has to outlive the process.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Since when something has been waiting in each queue.
    waiting: HashMap<EndpointNumber, Timestamp>,
    /// How many notifications of each subscription had failed for want of room in its queue, and when that last grew.
    full: HashMap<SubscriptionId, (u64, Timestamp)>,
    /// Whether too many were waiting in all.
    total_full: bool,
}

/// What queues are looked at with.
pub(super) struct Look<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) set: &'a SubscriptionSet,
    pub(super) kept: &'a Kept,
    pub(super) queue_total: u64,
    pub(super) now: Timestamp,
}

impl Look<'_> {
    /// What is the matter with queues.
    pub(super) fn find(&self, seen: &mut Seen) -> Vec<Finding> {
        let all = self.store.subscription_sums();
        let told_of = |of: &&SubscriptionSums| self.set.get(of.id.as_str()).is_some_and(|of| !is_told(of));
        let sums: Vec<_> = all.iter().filter(told_of).collect();
        let mut found = self.idle(seen);
        found.extend(sums.iter().filter_map(|of| self.expired(of)));
        found.extend(sums.iter().filter_map(|of| self.full(of, seen)));
        found.extend(self.total(&all, seen));
        found
    }

    /// What is kept of subscriptions that are not there any more.
    pub(super) fn forgotten(&self) -> Vec<String> {
        let marks = self.kept.of_name(EXPIRED_TOLD).map(|mark| &mark.subject);
        marks.filter(|subscription| self.set.get(subscription).is_none()).cloned().collect()
    }

    fn idle(&self, seen: &mut Seen) -> Vec<Finding> {
        let polled = self.set.iter().filter(|s| !is_told(s)).filter_map(|s| Some((s, s.poll_endpoint()?)));
        let polled: Vec<_> = polled.collect();
        let there: HashSet<_> = polled.iter().map(|(_, endpoint)| *endpoint).collect();
        seen.waiting.retain(|endpoint, _| there.contains(endpoint));
        polled.into_iter().filter_map(|(subscription, endpoint)| self.is_idle(subscription, endpoint, seen)).collect()
    }

    /// It begins once something has waited for as long, and nobody polled; it lasts until somebody does.
    fn is_idle(&self, subscription: &Subscription, endpoint: EndpointNumber, seen: &mut Seen) -> Option<Finding> {
        let status = self.store.queue(endpoint);
        if status.waiting == 0 {
            seen.waiting.remove(&endpoint);
        } else {
            seen.waiting.entry(endpoint).or_insert(self.now);
        }
        let key = Key::Subscription(subscription.id.clone());
        let since = match self.kept.condition(Condition::PollerIdle, &key) {
            Some(kept) if status.last_polled.is_some_and(|at| at > kept.since) || subscription.is_held() => {
                return None;
            }
            Some(kept) => kept.since,
            None => {
                let since = *seen.waiting.get(&endpoint)?;
                status.last_polled.map_or(since, |polled| since.max(polled))
            }
        };
        (self.now.since(since) >= IDLE_AFTER).then(|| idle(subscription, key, &status, since))
    }

    /// It begins once some have expired, and lasts as long as some more have by the time that it is told again.
    fn expired(&self, of: &SubscriptionSums) -> Option<Finding> {
        let key = Key::Subscription(of.id.clone());
        let mark = self.kept.row(EXPIRED_TOLD, of.id.as_str());
        let told: u64 = mark.and_then(|mark| mark.detail.parse().ok()).unwrap_or(0);
        let in_all = of.sums.get(State::Expired);
        let more = in_all.saturating_sub(told);
        let lasts = self.kept.condition(Condition::NotificationsExpired, &key);
        let is_fresh = lasts.is_some_and(|kept| kept.told.0 == 0 || !Repeat::Daily.is_due(kept.told.1, self.now));
        (more > 0 || is_fresh).then(|| expired(&of.id, key, more, in_all, self.now))
    }

    fn full(&self, of: &SubscriptionSums, seen: &mut Seen) -> Option<Finding> {
        if of.queue_full == 0 {
            return None;
        }
        let (known, grew) = seen.full.entry(of.id.clone()).or_insert((0, self.now));
        if *known != of.queue_full {
            (*known, *grew) = (of.queue_full, self.now);
        }
        (self.now.since(*grew) < FULL_FOR).then(|| full(of))
    }

    /// It begins when there are as many as may be, and lasts until a tenth of them has gone.
    fn total(&self, all: &[SubscriptionSums], seen: &mut Seen) -> Option<Finding> {
        let open = [State::Queued, State::Leased, State::Held];
        let waiting: u64 = all.iter().flat_map(|of| open.map(|state| of.sums.get(state))).sum();
        let key = Key::Other(ALL.to_owned());
        let was_full = seen.total_full || self.kept.condition(Condition::QueueFull, &key).is_some();
        let limit = if was_full { self.queue_total / 10 * 9 } else { self.queue_total };
        seen.total_full = waiting >= limit;
        seen.total_full.then(|| too_many(key, waiting, self.queue_total))
    }
}

/// The subject of all queues together.
const ALL: &str = "all-queues";

fn idle(subscription: &Subscription, key: Key, status: &QueueStatus, since: Timestamp) -> Finding {
    let (id, client) = (&subscription.id, &subscription.client_id);
    let polled = status.last_polled.map(Timestamp::to_rfc3339_seconds);
    let whence = polled.as_ref().map_or("It was never polled".to_owned(), |at| format!("It was polled last at {at}"));
    let detail = format!(
        "Nobody polls the subscription {id} of the client {client}. {whence}, and {} wait, each until its deadline.",
        notifications(status.waiting)
    );
    let what_to_do = format!(
        "See whether the client {client} runs, gets its tokens, and reaches the appliance. `tidings poll {id}` shows what \
         waits, and takes nothing; if nobody needs it, end the subscription."
    );
    let facts = [("client", json!(client.as_str())), ("lastPolled", json!(polled)), ("waiting", json!(status.waiting))];
    finding(Condition::PollerIdle, key, Some(since), (detail, what_to_do), facts)
}

fn expired(id: &SubscriptionId, key: Key, count: u64, in_all: u64, now: Timestamp) -> Finding {
    let have = if count == 1 { "has" } else { "have" };
    let detail = format!(
        "{} of the subscription {id} {have} expired: nobody took them before their deadline.",
        notifications(count)
    );
    let what_to_do = format!(
        "See whether who is to have them takes them: `tidings subscriptions {id}`. What is still of use can have a new round: \
         `tidings replay --subscription {id} --state expired`."
    );
    let facts = [("count", json!(count)), ("inAll", json!(in_all))];
    let mark = KeptCondition {
        name: EXPIRED_TOLD.to_owned(),
        subject: id.to_string(),
        since: now,
        told: (0, now),
        detail: in_all.to_string(),
    };
    Finding { mark: Some(mark), ..finding(Condition::NotificationsExpired, key, None, (detail, what_to_do), facts) }
}

fn full(of: &SubscriptionSums) -> Finding {
    let SubscriptionSums { id, sums: _, queue_full } = of;
    let detail = format!(
        "As many notifications wait for the subscription {id} as may (limits.queue_depth). {} have failed since the start of \
         the appliance because of that; nobody else is touched.",
        notifications(*queue_full)
    );
    let what_to_do = format!(
        "See whether who is to have them takes them: `tidings subscriptions {id}`. What failed can have a new round: `tidings \
         replay --subscription {id} --state failed`."
    );
    let key = Key::Subscription(id.clone());
    finding(Condition::QueueFull, key, None, (detail, what_to_do), [("count", json!(queue_full))])
}

fn too_many(key: Key, waiting: u64, limit: u64) -> Finding {
    let detail = format!(
        "{} wait in all queues together, and {limit} may (limits.queue_total): publishing is refused (503).",
        notifications(waiting)
    );
    let what_to_do = "See for whom most of them wait: `tidings subscriptions`. End subscriptions that nobody needs, or raise \
                      limits.queue_total.";
    let facts = [("waiting", json!(waiting)), ("limit", json!(limit))];
    finding(Condition::QueueFull, key, None, (detail, what_to_do.to_owned()), facts)
}

fn finding<const N: usize>(
    condition: Condition,
    key: Key,
    since: Option<Timestamp>,
    (detail, what_to_do): (String, String),
    facts: [(&str, Value); N],
) -> Finding {
    let facts = facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Map<_, _>>();
    Finding { condition, key, since, repeat: Repeat::Daily, detail, what_to_do, facts, mark: None }
}
