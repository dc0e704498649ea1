//! An event: something that happened, as a producer told it and as the ledger keeps it.

use bytes::Bytes;

use super::id::{ClientId, EventTypeId, LedgerId};
use super::json::RawJson;
use super::owners::Owners;
use crate::base::clock::Timestamp;
use crate::base::secret::sha256_fields;
use crate::base::trace::TraceContext;

/// The `time` of an event: the producer's own text goes out unchanged where the contract shows it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// RFC 3339, as it was given.
    pub text: String,
    /// The instant that it means.
    pub instant: Timestamp,
}

/// A `CloudEvents` extension attribute that means nothing to us and is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its name: lower-case letters and digits (`CloudEvents` 1.0, "Naming Conventions"), of any length.
    pub name: String,
    /// Its value as JSON: a string, a number or a boolean.
    pub value: RawJson,
}

/// An event as a producer told it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// Who published it.
    pub publisher: ClientId,
    /// The producer's id.
    pub id: Option<String>,
    /// The producer's source, or `urn:tidings:client:<id>`.
    pub source: String,
    /// Its type.
    pub event_type: EventTypeId,
    /// Its subject.
    pub subject: Option<String>,
    /// When it happened, if the producer says so.
    pub time: Option<EventTime>,
    /// The schema of the data, handed on.
    pub data_schema: Option<String>,
    /// The owners that it is for; `None`: everyone.
    pub audience: Option<Owners>,
    /// No notification of it is handed out after this instant.
    pub expiry: Option<Timestamp>,
    /// Its trace, handed on.
    pub trace: Option<TraceContext>,
    /// Further attributes, handed on, in the order in which they came; `datacontenttype` is among them where it is
    /// another than `application/json`.
    pub extensions: Vec<Extension>,
    /// Its data, byte for byte; `None`: it has none.
    pub data: Option<RawJson>,
}

/// What makes two posts the same event (contracts/events.md): publisher, source and id; and what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of publisher, source and id, its first half.
    pub fingerprint: [u8; 16],
    /// SHA-256 of type, subject, audience and data, its first half.
    pub content: [u8; 16],
}

impl EventDraft {
    /// The identity, `None` without an `id`: then every post is new.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        let id = self.id.as_deref()?;
        let audience = self.audience.as_ref().map(Owners::to_audience);
        Some(Identity {
            fingerprint: first_half(&sha256_fields([
                Some(self.publisher.as_str().as_bytes()),
                Some(self.source.as_bytes()),
                Some(id.as_bytes()),
            ])),
            content: first_half(&sha256_fields([
                Some(self.event_type.as_str().as_bytes()),
                self.subject.as_deref().map(str::as_bytes),
                audience.as_deref().map(str::as_bytes),
                self.data.as_ref().map(|d| &d.as_bytes()[..]),
            ])),
        })
    }
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// An event as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Our id.
    pub id: LedgerId,
    /// When it was accepted, in ledger time.
    pub accepted: Timestamp,
    /// What the producer told.
    pub draft: EventDraft,
}

impl Event {
    /// The data's bytes, empty where there are none.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.draft.data.as_ref().map(|d| d.as_bytes().clone()).unwrap_or_default()
    }
}
