//! What is stored: the third family of types beside the domain's and the wire's.
//!
//! A record is one byte of version and a postcard body (<https://postcard.jamesmunns.com/wire-format>). A version that
//! is newer than ours is refused; an older one would be read by its own type and brought forward here.

mod older;

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::runs::Runs;
use crate::base::clock::Timestamp;
use crate::base::trace::TraceContext;
use crate::model::event::{Event, EventDraft, EventTime, Extension};
use crate::model::id::{ClientId, EndpointNumber, Epoch, EventTypeId, LedgerId, LedgerIdParts, Position};
use crate::model::json::RawJson;
use crate::model::notification::{EndpointKind, State, Sums};
use crate::model::owners::Owners;
use crate::model::subscription::HoldReason;
use crate::store::StoreError;

/// The version of the layout as a whole: raised when an older release could not read the file any more. 2 has endpoints
/// that are sent to, 3 subscriptions that say what becomes of what waits when they are declared no more, 4 subscriptions of
/// all contracts and numbers of their notifications.
pub(super) const FORMAT: u32 = 4;

/// The version that a kind of record has in this release where it is not said otherwise.
const RECORD: u8 = 1;

/// The version of the rows of endpoints, and what they are called in errors.
const OF_ENDPOINTS: u8 = 2;
const ENDPOINT: &str = "an endpoint";
/// The version of heads, and of events' rows, that have numbers ([`Head::numbers`]). Most have none, and are of the first.
const NUMBERED: u8 = 2;

/// The record's bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    encode_as(RECORD, record)
}

/// The bytes of a record of which this is not the first version.
pub(super) fn encode_as<T: Serialize>(version: u8, record: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.push(version);
    postcard::to_extend(record, out).expect("records hold only what postcard can write, and a Vec grows")
}

/// The record in `bytes`; `what` names it in an error.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, StoreError> {
    decode_as(RECORD, bytes, what)
}

/// The record in `bytes`, where it has this version.
pub(super) fn decode_as<'a, T: Deserialize<'a>>(version: u8, bytes: &'a [u8], what: &str) -> Result<T, StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt { detail: format!("{what}: {detail}") };
    match bytes.split_first() {
        Some((&found, rest)) if found == version => postcard::from_bytes(rest).map_err(|e| corrupt(e.to_string())),
        Some((version, _)) => Err(corrupt(format!("version {version} is not known to this release"))),
        None => Err(corrupt("it is empty".to_owned())),
    }
}

/// The format that a state row of any release names: its first field, whatever the record's version.
pub(super) fn format_of(state: &[u8]) -> Option<u32> {
    postcard::take_from_bytes(state.get(1..)?).ok().map(|(format, _)| format)
}

/// The one row of [`super::tables::META`]. Every version of it begins with `format`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    /// [`FORMAT`]
    pub(super) format: u32,
    /// The generation; a restore raises it.
    pub(super) epoch: u16,
    /// Of the transaction; tells which of two is the younger.
    pub(super) sequence: u64,
    /// Of the last transaction, in milliseconds: the ledger's time never goes back behind it.
    pub(super) ledger_time: i64,
    /// Whether the wall clock was in doubt then.
    pub(super) clock_doubted: bool,
    /// The position of the next event.
    pub(super) next_position: u64,
    /// The number of the next endpoint.
    pub(super) next_endpoint: u32,
    /// The heads of events below this position are in a table of their own.
    pub(super) filed_to: u64,
    /// Every notification of an event below this position has ended and is in the tallies.
    pub(super) settled_to: u64,
    /// What is known of notifications below this position may have gone, but for those that are open.
    pub(super) history_from: u64,
    /// Bytes of the bodies that are there.
    pub(super) body_bytes: u64,
    /// Events ever accepted, and those of them that matched a subscription.
    pub(super) accepted: u64,
    pub(super) matched: u64,
    /// Of these, those below `settled_to` (the rows of the others are all there).
    pub(super) settled_accepted: u64,
    pub(super) settled_matched: u64,
    /// Notifications ever made, and those that are consumed now: what `verify` compares its own sums with.
    pub(super) created: u64,
    pub(super) consumed: u64,
    /// Notifications ever in consumed pages, and those whose answer is known to have reached the socket whole.
    pub(super) paged: u64,
    pub(super) confirmed: u64,
    /// The tallies of endpoints that are gone altogether, for each kind.
    pub(super) gone: [Tally; 3],
}

impl Meta {
    /// Notifications in pages that are not known to have been answered.
    pub(super) const fn unconfirmed(&self) -> u64 {
        self.paged.saturating_sub(self.confirmed)
    }

    pub(super) fn new() -> Self {
        Self {
            format: FORMAT,
            epoch: 0,
            sequence: 0,
            ledger_time: 0,
            clock_doubted: false,
            next_position: 1,
            next_endpoint: 1,
            filed_to: 1,
            settled_to: 1,
            history_from: 1,
            body_bytes: 0,
            accepted: 0,
            matched: 0,
            settled_accepted: 0,
            settled_matched: 0,
            created: 0,
            consumed: 0,
            paged: 0,
            confirmed: 0,
            gone: [Tally::default(); 3],
        }
    }
}

/// Ended notifications, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) delivered: u64,
    pub(super) consumed: u64,
    pub(super) failed: u64,
    pub(super) expired: u64,
    pub(super) cancelled: u64,
}

impl Tally {
    pub(super) const fn merge(&mut self, other: &Self) {
        self.created += other.created;
        self.delivered += other.delivered;
        self.consumed += other.consumed;
        self.failed += other.failed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
    }

    pub(super) fn to_sums(self) -> Sums {
        let Self { created, delivered, consumed, failed, expired, cancelled } = self;
        let mut sums = Sums::of(created);
        for (state, count) in [
            (State::Delivered, delivered),
            (State::Consumed, consumed),
            (State::Failed, failed),
            (State::Expired, expired),
            (State::Cancelled, cancelled),
        ] {
            sums.add(state, count);
        }
        sums
    }
}

impl Tally {
    /// Counts one more, which has ended as `state`.
    pub(super) fn count(&mut self, state: State) {
        self.created += 1;
        if let Some(count) = self.of(state) {
            *count += 1;
        }
    }

    /// Counts one less: it has begun a new round.
    pub(super) fn discount(&mut self, state: State) {
        self.created = self.created.saturating_sub(1);
        if let Some(count) = self.of(state) {
            *count = count.saturating_sub(1);
        }
    }

    /// The count of an ended state.
    const fn of(&mut self, state: State) -> Option<&mut u64> {
        match state {
            State::Queued | State::Leased | State::Held => None,
            State::Delivered => Some(&mut self.delivered),
            State::Consumed => Some(&mut self.consumed),
            State::Failed => Some(&mut self.failed),
            State::Expired => Some(&mut self.expired),
            State::Cancelled => Some(&mut self.cancelled),
        }
    }
}

/// What became of the notifications of a group at acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entrance {
    /// They were queued.
    Queued,
    /// They failed at once: the subscription's queue was full.
    QueueFull,
}

/// Notifications of one event that share kind, deadline and entrance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) kind: u8,
    pub(super) entrance: Entrance,
    /// In milliseconds.
    pub(super) deadline: i64,
    /// Ascending; the first as it is, each other as the distance from the one before.
    pub(super) endpoints: Vec<u32>,
}

impl Group {
    pub(super) fn new(kind: EndpointKind, entrance: Entrance, deadline: Timestamp, endpoints: &[u32]) -> Self {
        let mut before = 0;
        let endpoints = endpoints
            .iter()
            .map(|&e| {
                let distance = e - before;
                before = e;
                distance
            })
            .collect();
        Self { kind: kind_to_byte(kind), entrance, deadline: deadline.as_millis(), endpoints }
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = u32> {
        self.endpoints.iter().scan(0_u32, |at, distance| {
            *at = at.wrapping_add(*distance);
            Some(*at)
        })
    }

    pub(super) const fn deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.deadline)
    }
}

/// An event, as far as start, matching of repeats and accounting need it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) epoch: u16,
    pub(super) accepted: i64,
    pub(super) body_len: u32,
    pub(super) matched: u32,
    /// Fingerprint and content of [`crate::model::event::Identity`].
    pub(super) identity: Option<([u8; 16], [u8; 16])>,
    /// In order: their notifications are numbered through, from 1.
    pub(super) groups: Vec<Group>,
    /// The notifications that are counted by their receivers, by their numbers in the event, and their numbers there; in
    /// rows of [`NUMBERED`] only.
    #[serde(skip)]
    pub(super) numbers: Vec<(u32, u64)>,
}

impl Head {
    /// A head that is filed.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        const WHAT: &str = "an event's head";
        match bytes.first() {
            Some(&NUMBERED) => {
                let (head, numbers): (Self, _) = decode_as(NUMBERED, bytes, WHAT)?;
                Ok(Self { numbers, ..head })
            }
            _ => decode(bytes, WHAT),
        }
    }

    /// The row of a head that is filed.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self.numbers.as_slice() {
            [] => encode(self),
            numbers => encode_as(NUMBERED, &(self, numbers)),
        }
    }

    /// The number that the notification `target` has for its receiver, where it is counted.
    pub(super) fn number_of(&self, target: u32) -> Option<u64> {
        let at = self.numbers.binary_search_by_key(&target, |(target, _)| *target).ok()?;
        self.numbers.get(at).map(|(_, number)| *number)
    }

    pub(super) const fn accepted(&self) -> Timestamp {
        Timestamp::from_millis(self.accepted)
    }

    /// The id of the event (target 0) or of one of its notifications.
    pub(super) fn id(&self, position: u64, target: u32) -> LedgerId {
        LedgerId::new(LedgerIdParts {
            accepted: self.accepted(),
            epoch: Epoch::new(self.epoch).unwrap_or_default(),
            position: Position::new(position).unwrap_or_default(),
            target,
        })
    }

    /// The number of the notification for `endpoint`.
    pub(super) fn target_of(&self, endpoint: EndpointNumber) -> Option<u32> {
        let at = self.groups.iter().flat_map(Group::endpoints).position(|e| e == endpoint.0)?;
        u32::try_from(at + 1).ok()
    }

    /// The latest deadline, `None` without notifications.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.groups.iter().map(Group::deadline).max()
    }
}

/// An event's row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventRow<'a> {
    pub(super) head: Head,
    /// The state after the transaction, in the row of its last event.
    pub(super) meta: Option<Meta>,
    /// A [`Body`].
    #[serde(borrow, with = "serde_bytes")]
    pub(super) body: &'a [u8],
}

impl<'a> EventRow<'a> {
    const WHAT: &'static str = "an event's row";

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { head, meta, body } = self;
        match head.numbers.as_slice() {
            [] => encode(self),
            numbers => encode_as(NUMBERED, &(head, numbers, meta, Bytes::new(body))),
        }
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        if bytes.first() != Some(&NUMBERED) {
            return decode(bytes, Self::WHAT);
        }
        let (head, numbers, meta, body): (Head, _, _, &'a Bytes) = decode_as(NUMBERED, bytes, Self::WHAT)?;
        Ok(Self { head: Head { numbers, ..head }, meta, body })
    }
}

/// Splits a row into the bytes of its head's record and the rest.
pub(super) fn split_head(row: &[u8]) -> Result<(&[u8], Head), StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt { detail: format!("an event's row: {detail}") };
    match row.split_first() {
        Some((&RECORD, fields)) => {
            let (head, rest) = postcard::take_from_bytes(fields).map_err(|e| corrupt(e.to_string()))?;
            Ok((&row[..row.len() - rest.len()], head))
        }
        Some((&NUMBERED, fields)) => {
            let ((head, numbers), rest): ((Head, _), _) =
                postcard::take_from_bytes(fields).map_err(|e| corrupt(e.to_string()))?;
            Ok((&row[..row.len() - rest.len()], Head { numbers, ..head }))
        }
        _ => Err(corrupt("its version is not known to this release".to_owned())),
    }
}

/// What the producer told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body<'a> {
    publisher: &'a str,
    id: Option<&'a str>,
    source: &'a str,
    event_type: &'a str,
    subject: Option<&'a str>,
    /// Text and instant in milliseconds.
    time: Option<(&'a str, i64)>,
    data_schema: Option<&'a str>,
    audience: Option<Vec<&'a str>>,
    expiry: Option<i64>,
    trace: Option<(&'a str, Option<&'a str>)>,
    /// Name and value as JSON.
    #[serde(borrow)]
    extensions: Vec<(&'a str, &'a Bytes)>,
    data: Option<&'a Bytes>,
}

/// The row of an event's body.
pub(super) fn encode_body(draft: &EventDraft) -> Vec<u8> {
    let EventDraft {
        publisher,
        id,
        source,
        event_type,
        subject,
        time,
        data_schema,
        audience,
        expiry,
        trace,
        extensions,
        data,
    } = draft;
    encode(&Body {
        publisher: publisher.as_str(),
        id: id.as_deref(),
        source,
        event_type: event_type.as_str(),
        subject: subject.as_deref(),
        time: time.as_ref().map(|t| (t.text.as_str(), t.instant.as_millis())),
        data_schema: data_schema.as_deref(),
        audience: audience.as_ref().map(|a| a.iter().collect()),
        expiry: expiry.map(Timestamp::as_millis),
        trace: trace.as_ref().map(|t| (t.parent.as_str(), t.state.as_deref())),
        extensions: extensions.iter().map(|e| (e.name.as_str(), Bytes::new(e.value.as_bytes()))).collect(),
        data: data.as_ref().map(|d| Bytes::new(d.as_bytes())),
    })
}

/// What is left of a body that is erased: nothing that tells of anybody.
pub(super) fn erased_body(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let body: Body<'_> = decode(body, "an event's body")?;
    Ok(encode(&Body { subject: None, audience: None, extensions: Vec::new(), data: None, ..body }))
}

/// The type of a row's event.
pub(super) fn event_type(row: &EventRow<'_>) -> Result<EventTypeId, StoreError> {
    let body: Body<'_> = decode(row.body, "an event's body")?;
    Ok(EventTypeId::new(body.event_type))
}

/// The event of a row.
pub(super) fn event(position: u64, row: &EventRow<'_>) -> Result<Event, StoreError> {
    let Body {
        publisher,
        id,
        source,
        event_type,
        subject,
        time,
        data_schema,
        audience,
        expiry,
        trace,
        extensions,
        data,
    } = decode(row.body, "an event's body")?;
    let head = &row.head;
    let json = |bytes: &[u8]| RawJson::stored(bytes::Bytes::copy_from_slice(bytes));
    let draft = EventDraft {
        publisher: ClientId::new(publisher),
        id: id.map(str::to_owned),
        source: source.to_owned(),
        event_type: EventTypeId::new(event_type),
        subject: subject.map(str::to_owned),
        time: time.map(|(text, at)| EventTime { text: text.to_owned(), instant: Timestamp::from_millis(at) }),
        data_schema: data_schema.map(str::to_owned),
        audience: audience.map(|a| Owners::new(a.into_iter().map(str::to_owned))),
        expiry: expiry.map(Timestamp::from_millis),
        trace: trace.map(|(parent, state)| TraceContext { parent: parent.to_owned(), state: state.map(str::to_owned) }),
        extensions: extensions
            .into_iter()
            .map(|(name, value)| Extension { name: name.to_owned(), value: json(value) })
            .collect(),
        data: data.map(|d| json(d)),
    };
    Ok(Event { id: head.id(position, 0), accepted: head.accepted(), draft })
}

/// A page that was consumed or leased.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PageRow {
    pub(super) time: i64,
    pub(super) client: String,
    pub(super) request_id: String,
    pub(super) key: Option<String>,
    /// Whether the answer reached the socket whole; of a lease that is not asked.
    pub(super) confirmed: bool,
    /// When the lease ends; `None`: it was consumed.
    pub(super) until: Option<i64>,
    /// What was handed out for the first time. Of a consumed page that is all there is to say of it, unless it has a row
    /// of its own since.
    pub(super) fresh: Runs,
    /// What had been handed out before and waited again: it has rows of its own.
    pub(super) again: Runs,
}

impl PageRow {
    /// All positions, rising.
    pub(super) fn positions(&self) -> Vec<u64> {
        let mut positions: Vec<u64> = self.fresh.positions().chain(self.again.positions()).collect();
        positions.sort_unstable();
        positions
    }

    /// The first position; 0 of a page without any, which is none.
    pub(super) fn first(&self) -> u64 {
        self.fresh.first().into_iter().chain(self.again.first()).min().unwrap_or_default()
    }

    /// The last position; 0 of a page without any, which is none.
    pub(super) fn last(&self) -> u64 {
        self.fresh.last().max(self.again.last()).unwrap_or_default()
    }

    /// How many it consumed.
    pub(super) fn consumed(&self) -> u64 {
        if self.until.is_some() { 0 } else { self.fresh.count() + self.again.count() }
    }
}

/// An endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EndpointRow {
    pub(super) subscription: String,
    pub(super) kind: u8,
    /// The next position when it was removed, and the ledger's time then; and whether what waited has failed: if not, it
    /// was cancelled.
    pub(super) removed: Option<(u64, i64, bool)>,
}

impl EndpointRow {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.first() {
            Some(&older::VERSION) => older::endpoint(bytes),
            _ => decode_as(OF_ENDPOINTS, bytes, ENDPOINT),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode_as(OF_ENDPOINTS, self)
    }
}

pub(super) const fn hold_to_byte(reason: HoldReason) -> u8 {
    match reason {
        HoldReason::Paused => 0,
        HoldReason::ClientRemoved => 1,
        HoldReason::CircuitOpen => 2,
        HoldReason::EndpointDisabled => 3,
        HoldReason::SecretExpired => 4,
        HoldReason::OutsideHours => 5,
    }
}

pub(super) fn hold_from_byte(byte: u8) -> Result<HoldReason, StoreError> {
    HoldReason::ALL
        .into_iter()
        .find(|reason| hold_to_byte(*reason) == byte)
        .ok_or_else(|| StoreError::Corrupt { detail: format!("reason to hold {byte} is not known") })
}

pub(super) const fn state_to_byte(state: State) -> u8 {
    match state {
        State::Queued => 0,
        State::Leased => 1,
        State::Held => 2,
        State::Delivered => 3,
        State::Consumed => 4,
        State::Failed => 5,
        State::Expired => 6,
        State::Cancelled => 7,
    }
}

pub(super) fn state_from_byte(byte: u8) -> Result<State, StoreError> {
    State::ALL
        .into_iter()
        .find(|state| state_to_byte(*state) == byte)
        .ok_or_else(|| StoreError::Corrupt { detail: format!("state {byte} is not known") })
}

pub(super) const fn kind_to_byte(kind: EndpointKind) -> u8 {
    match kind {
        EndpointKind::Poll => 0,
        EndpointKind::Webhook => 1,
        EndpointKind::Email => 2,
    }
}

pub(super) fn kind_from_byte(byte: u8) -> Result<EndpointKind, StoreError> {
    EndpointKind::ALL
        .into_iter()
        .find(|k| kind_to_byte(*k) == byte)
        .ok_or_else(|| StoreError::Corrupt { detail: format!("kind of endpoint {byte} is not known") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_group_gives_back_its_endpoints(endpoints in proptest::collection::btree_set(0_u32.., 0..50)) {
            let endpoints: Vec<u32> = endpoints.into_iter().collect();
            let group = Group::new(EndpointKind::Email, Entrance::QueueFull, Timestamp::from_millis(-3), &endpoints);
            let read: Group = decode(&encode(&group), "group").unwrap();
            prop_assert_eq!(read.endpoints().collect::<Vec<_>>(), endpoints);
            prop_assert_eq!(read.deadline(), Timestamp::from_millis(-3));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode::<Head>(&bytes, "head");
            let _ = decode::<Body<'_>>(&bytes, "body");
            let _ = decode::<Meta>(&bytes, "meta");
            let _ = decode::<PageRow>(&bytes, "page");
        }
    }

    #[test]
    fn a_newer_record_is_refused_by_name() {
        let error = decode::<Head>(&[9, 0, 0], "the head at 7").unwrap_err();
        assert!(error.to_string().contains("the head at 7: version 9"), "{error}");
    }
}
