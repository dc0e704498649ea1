//! What is found: a condition that holds now.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::base::clock::Timestamp;
use crate::model::condition::{Condition, is_own};
use crate::model::id::{EndpointNumber, SubscriptionId};
use crate::model::subscription::Subscription;
use crate::store::KeptCondition;

/// How often what lasts is told again.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// A condition that holds now.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) condition: Condition,
    pub(super) key: Key,
    /// Since when, where that can be told; else since it was found.
    pub(super) since: Option<Timestamp>,
    pub(super) repeat: Repeat,
    /// What is the matter, for people who have not read the manual.
    pub(super) detail: String,
    pub(super) what_to_do: String,
    /// The same for programs.
    pub(super) facts: Map<String, Value>,
    /// What is to be kept besides once this is told.
    pub(super) mark: Option<KeptCondition>,
}

/// When it is told again.
#[derive(Clone, Debug)]
pub(super) enum Repeat {
    /// Once a day.
    Daily,
    /// At these instants.
    At(Vec<Timestamp>),
}

impl Repeat {
    /// Whether it is to be told again at `now`, when it was told last at `told`.
    pub(super) fn is_due(&self, told: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Daily => now.since(told) >= DAY,
            Self::At(instants) => instants.iter().any(|at| told < *at && *at <= now),
        }
    }
}

/// What a condition is about: with its type what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// An endpoint of a subscription.
    Endpoint(SubscriptionId, EndpointNumber),
    /// A subscription.
    Subscription(SubscriptionId),
    /// Something else.
    Other(String),
}

/// What the keys of subscriptions begin with. None of their ids has a slash in it ([`crate::model::id::is_name`]).
const SUBSCRIPTION: &str = "subscription/";

impl Key {
    /// Its form in the store and in identities.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Endpoint(id, EndpointNumber(number)) => format!("{SUBSCRIPTION}{id}/{number}"),
            Self::Subscription(id) => format!("{SUBSCRIPTION}{id}"),
            Self::Other(name) => name.clone(),
        }
    }

    /// The key that is written so.
    pub(super) fn read(text: &str) -> Self {
        let Some(rest) = text.strip_prefix(SUBSCRIPTION) else { return Self::Other(text.to_owned()) };
        match rest.split_once('/').map(|(id, number)| (id, number.parse())) {
            Some((id, Ok(number))) => Self::Endpoint(id.into(), EndpointNumber(number)),
            _ => Self::Subscription(rest.into()),
        }
    }

    /// The subject of its events.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Endpoint(id, _) | Self::Subscription(id) => id.as_str(),
            Self::Other(name) => name,
        }
    }

    /// The subscription that it is about.
    pub(super) const fn subscription(&self) -> Option<&SubscriptionId> {
        match self {
            Self::Endpoint(id, _) | Self::Subscription(id) => Some(id),
            Self::Other(_) => None,
        }
    }
}

/// Whether a subscription wants to be told of conditions: what becomes of its notifications is not told.
pub(super) fn is_told(subscription: &Subscription) -> bool {
    subscription.event_types.iter().any(|event_type| is_own(event_type.as_str()))
}

/// `1 notification`, `2 notifications`.
pub(super) fn notifications(count: u64) -> String {
    if count == 1 { "1 notification".to_owned() } else { format!("{count} notifications") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for key in [
            Key::Endpoint("crm-accounts".into(), EndpointNumber(7)),
            Key::Subscription("relay".into()),
            Key::Other("relay".to_owned()),
            Key::Other("client crm, secret 1".to_owned()),
        ] {
            assert_eq!(Key::read(&key.written()), key);
        }
    }

    #[test]
    fn it_is_told_again_a_day_later_or_when_its_time_has_come() {
        let at = |hours: u64| Timestamp::from_millis(0).plus(Duration::from_hours(hours));
        assert!(!Repeat::Daily.is_due(at(1), at(24)) && Repeat::Daily.is_due(at(1), at(25)));
        let steps = Repeat::At(vec![at(10), at(20)]);
        for (told, now, due) in [(0, 9, false), (0, 10, true), (10, 19, false), (10, 30, true), (21, 99, false)] {
            assert_eq!(steps.is_due(at(told), at(now)), due, "{told} {now}");
        }
    }
}
