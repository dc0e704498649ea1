//! A channel with named policies, names that a test tells, and messages.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tidings::auth::WebhookKeys;
use tidings::base::clock::Timestamp;
use tidings::base::outbound::{AllowEntry, EgressSettings, Lookup, Names, NoAddress, Outbound, TrustSettings};
use tidings::base::random::SeededRandomness;
use tidings::channel::webhook::{Answers, WebhookChannel, WebhookPolicy, WebhookSettings};
use tidings::channel::{Channel as _, Message, Sent};
use tidings::model::event::{Event, EventDraft};
use tidings::model::id::{Epoch, LedgerId};
use tidings::model::json::RawJson;
use tidings::model::subscription::{ContractName, Subscription, SubscriptionDraft};
use tidings::model::target::{ContentMode, Ordering, Shape, SigningSecret, Target, WebhookTarget};

/// Sunday, 22 November 2026.
pub(crate) const NOW: &str = "2026-11-22T10:00:00.250Z";

/// Names as a test tells them: the answers one after the other, the last one again and again.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>>);

impl Told {
    /// From now on `name` is this, and when it is looked up once more the next of these.
    pub(crate) fn tell(&self, name: &str, answers: &[&[&str]]) {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        self.0.lock().insert(name.to_owned(), answers.iter().map(parse).collect());
    }
}

#[async_trait]
impl Lookup for Told {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, NoAddress> {
        let mut names = self.0.lock();
        let none = || NoAddress { name: name.to_owned(), detail: "nobody has told".to_owned() };
        let answers = names.get_mut(name).ok_or_else(none)?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.ok_or_else(none)
    }
}

/// What a channel is made of.
pub(crate) struct Stage {
    pub(crate) names: Told,
    pub(crate) trust: TrustSettings,
    pub(crate) settings: WebhookSettings,
    pub(crate) listens_on: Vec<SocketAddr>,
    pub(crate) keys: Arc<WebhookKeys>,
}

impl Stage {
    /// With no policy at all.
    pub(crate) fn bare() -> Self {
        let timeout = Duration::from_secs(20);
        Self {
            names: Told::default(),
            trust: TrustSettings { system: false, certificates: Vec::new() },
            settings: WebhookSettings { timeout, connect_timeout: timeout, ..WebhookSettings::default() },
            listens_on: Vec::new(),
            keys: Arc::new(WebhookKeys::in_memory(&SeededRandomness::new(1))),
        }
    }

    /// With the policy `plant` for these.
    pub(crate) fn with(allow: &[&str]) -> Self {
        Self::bare().and("plant", allow)
    }

    /// With another policy.
    pub(crate) fn and(mut self, name: &str, allow: &[&str]) -> Self {
        self.settings.policies.push(policy(name, allow));
        self
    }

    /// With another time limit.
    pub(crate) fn within(mut self, connect: Duration, total: Duration) -> Self {
        (self.settings.connect_timeout, self.settings.timeout) = (connect, total);
        self
    }

    /// Changes the last policy.
    pub(crate) fn tuned(mut self, tune: impl FnOnce(&mut WebhookPolicy)) -> Self {
        tune(self.settings.policies.last_mut().unwrap());
        self
    }

    pub(crate) fn channel(&self) -> WebhookChannel {
        let outbound = Outbound::with_names(self.trust.clone(), Names::told_by(self.names.clone()));
        outbound.listens_on(self.listens_on.clone());
        WebhookChannel::new(self.settings.clone(), &outbound, self.keys.clone())
    }

    /// What comes of a message to `url` under the policy `plant`, over a channel of its own.
    pub(crate) async fn send(&self, url: &str) -> Sent {
        self.channel().send(&to(url), &message()).await
    }
}

pub(crate) fn policy(name: &str, allow: &[&str]) -> WebhookPolicy {
    let allow = allow.iter().map(|entry| AllowEntry::parse(entry).unwrap()).collect();
    let egress = EgressSettings { allow, ..EgressSettings::nothing(name.to_owned()) };
    WebhookPolicy { egress, rate: None, answers: Answers::Kept }
}

/// The secret of every target.
pub(crate) const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

pub(crate) fn secret() -> SigningSecret {
    SigningSecret { key: KEY.to_vec().into(), not_before: None, not_after: None }
}

pub(crate) fn webhook(url: &str) -> WebhookTarget {
    WebhookTarget {
        url: url.to_owned(),
        egress: "plant".to_owned(),
        ordering: Ordering::Relaxed,
        content_mode: ContentMode::Structured,
        secrets: vec![secret()],
        asymmetric: false,
        shape: Shape::CloudEvent,
        basic: None,
        retries: true,
    }
}

pub(crate) fn to(url: &str) -> Target {
    Target::Webhook(webhook(url))
}

pub(crate) fn message() -> Message {
    Message {
        id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040001").unwrap(),
        subscription: subscription("crm-accounts"),
        number: None,
        event: event(),
        attempt: 1,
        now: Timestamp::parse_rfc3339(NOW).unwrap(),
        epoch: Epoch::new(7).unwrap(),
    }
}

pub(crate) fn event() -> Event {
    Event {
        id: LedgerId::parse("0198f0c2-1111-7000-8000-000000040000").unwrap(),
        accepted: Timestamp::parse_rfc3339(NOW).unwrap(),
        draft: EventDraft {
            publisher: "crm".into(),
            id: Some("e-1".to_owned()),
            source: "/crm".to_owned(),
            event_type: "301".into(),
            subject: None,
            time: None,
            data_schema: None,
            audience: None,
            expiry: None,
            trace: None,
            extensions: Vec::new(),
            data: Some(RawJson::parse(&Bytes::from_static(b"{ \"n\": 1.00 }")).unwrap()),
        },
    }
}

fn subscription(id: &str) -> Arc<Subscription> {
    let draft = SubscriptionDraft::new(id.into(), ContractName::Polling, "crm".into(), vec!["301".into()]);
    Arc::new(draft.into_subscription(Timestamp::default(), Vec::new()))
}
