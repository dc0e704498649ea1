//! What is told of a condition: an event.

use serde_json::{Map, Value};

use super::finding::{Finding, Key};
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::event::{EventDraft, EventTime};
use crate::model::id::{ClientId, SubscriptionId};
use crate::model::json::RawJson;
use crate::store::KeptCondition;

/// Who publishes these events, and their source. No client can be called so ([`crate::model::id::is_name`]).
const APPLIANCE: &str = "urn:tidings:appliance";

/// Which part of its course is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Started,
    Continues,
    Ended,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Continues => "continues",
            Self::Ended => "ended",
        }
    }
}

/// What is told.
#[derive(Debug)]
pub(super) struct Telling {
    condition: Condition,
    key: Key,
    status: Status,
    since: Timestamp,
    /// How often it has been told, with this time.
    times: u32,
    pub(super) detail: String,
    what_to_do: String,
    facts: Map<String, Value>,
}

impl Telling {
    /// That it holds: it began at `since`, and has been told so many times, with this one.
    pub(super) fn holds(finding: Finding, since: Timestamp, times: u32) -> Self {
        let Finding { condition, key, since: _, repeat: _, detail, what_to_do, facts, mark: _ } = finding;
        let status = if times == 1 { Status::Started } else { Status::Continues };
        Self { condition, key, status, since, times, detail, what_to_do, facts }
    }

    /// That it has ended.
    pub(super) fn ended(condition: Condition, kept: &KeptCondition) -> Self {
        let KeptCondition { name: _, subject, since, told: (times, _), detail } = kept;
        Self {
            condition,
            key: Key::read(subject),
            status: Status::Ended,
            since: *since,
            times: times.saturating_add(1),
            detail: format!("{} What it was: {detail}", of_end(condition)),
            what_to_do: "Nothing.".to_owned(),
            facts: Map::new(),
        }
    }

    /// The subscription whose contacts are told too.
    pub(super) const fn about(&self) -> Option<&SubscriptionId> {
        self.key.subscription()
    }

    /// Its event. Its id follows from what is told, so that telling it twice is telling it once.
    pub(super) fn draft(&self, now: Timestamp) -> EventDraft {
        let which = if self.status == Status::Ended { "ended".to_owned() } else { self.times.to_string() };
        let (condition, key) = (self.condition.as_str(), self.key.written());
        EventDraft {
            publisher: ClientId::new(APPLIANCE),
            id: Some(format!("{condition}:{key}:{}:{which}", self.since.as_millis())),
            source: APPLIANCE.to_owned(),
            event_type: condition.into(),
            subject: Some(self.key.subject().to_owned()),
            time: Some(EventTime { text: now.to_rfc3339_millis(), instant: now }),
            data_schema: None,
            audience: None,
            expiry: None,
            trace: None,
            extensions: Vec::new(),
            data: Some(self.data()),
        }
    }

    fn data(&self) -> RawJson {
        let mut data = self.facts.clone();
        let mut tell = |name: &str, value: Value| data.insert(name.to_owned(), value);
        tell("status", self.status.as_str().into());
        tell("since", self.since.to_rfc3339_millis().into());
        tell("subject", self.key.subject().into());
        tell("told", self.times.into());
        tell("detail", self.detail.as_str().into());
        tell("whatToDo", self.what_to_do.as_str().into());
        RawJson::stored(Value::Object(data).to_string().into())
    }

    /// Writes it to the log.
    pub(super) fn log(&self) {
        let Self { condition, key, status, detail, what_to_do, .. } = self;
        let (condition, subject, status) = (condition.as_str(), key.subject(), status.as_str());
        if self.status == Status::Ended {
            tracing::info!(condition, subject, status, "{detail}");
        } else {
            tracing::warn!(condition, subject, status, "{detail} {what_to_do}");
        }
    }
}

/// What is the case once it has ended.
const fn of_end(condition: Condition) -> &'static str {
    match condition {
        Condition::EndpointHeld => "It is not held any more.",
        Condition::EndpointDisabled => "It is not disabled any more.",
        Condition::PollerIdle => "It has been polled, is held, or is gone.",
        Condition::NotificationsExpired => "No more of them have expired since it was last told.",
        Condition::QueueFull => "Nothing more was refused for some time.",
        Condition::DiskLow => "There is room again, and publishing is taken.",
        Condition::CertificateExpiring => "It has been replaced.",
        Condition::SecretExpiring => "It has been replaced, or has ended.",
        Condition::Clock => "The clock is trusted again.",
        Condition::ReloadFailed => "Good files have been read, and run.",
    }
}
