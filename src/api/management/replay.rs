//! Replays: the body of a request, and what is answered (contracts/management.md, "Replay").

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::Error;
use super::given::{Given, join, json};
use super::{ManagementSettings, expiry, filters, openapi};
use crate::auth::Caller;
use crate::base::clock::Timestamp;
use crate::engine::{Replay, Replayed};
use crate::model::catalogue::Catalogue;
use crate::model::id::{ClientId, EventTypeId, LedgerId, uuid_v5};

/// A replay that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Of a notification of any id; one that is none of ours means none.
    pub(super) id: Option<Uuid>,
    pub(super) delivered: bool,
    pub(super) event: Option<Event>,
    pub(super) limit: usize,
    pub(super) client_id: ClientId,
    pub(super) organisation: Option<String>,
    pub(super) dry_run: bool,
    /// The names of members that mean nothing and were ignored.
    pub(super) unknown: Vec<String>,
}

/// What is asked of the event.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the wire calls it eventType")]
pub(super) struct Event {
    event_type: Option<EventTypeId>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    attributes: Vec<crate::model::filter::Clause>,
}

/// A replay and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Replays)]
pub(super) struct Answer {
    /// The replay's own id.
    #[schema(format = "uuid")]
    id: String,
    request: Request,
    results: Results,
}

/// The request as it was understood.
#[derive(Serialize, ToSchema)]
#[schema(as = UsedReplayRequest)]
#[serde(rename_all = "camelCase")]
struct Request {
    /// The notification that was meant.
    #[schema(format = "uuid", nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Which notifications were meant.
    #[schema(pattern = "^(sent|fail)$")]
    status: &'static str,
    #[schema(schema_with = openapi::used_event)]
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Value>,
    /// The most that could be replayed.
    #[schema(minimum = 1)]
    limit: usize,
    /// Whose subscriptions were meant.
    client_id: String,
    /// Which organisation's; left out where none was asked for.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
    /// Whether nothing was replayed.
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayResults)]
struct Results {
    /// How many notifications there are, up to the limit.
    matched: usize,
    /// How many are sent again.
    queued: usize,
    /// Those.
    notifications: Vec<One>,
}

/// A notification that is sent again.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
#[serde(rename_all = "camelCase")]
pub(super) struct One {
    /// The notification's id, which stays.
    #[schema(format = "uuid")]
    id: String,
    /// The replay's.
    #[schema(format = "uuid")]
    replay_id: String,
    #[schema(pattern = "^Queued$")]
    status: &'static str,
}

impl One {
    pub(super) fn of(id: LedgerId, replay: Uuid) -> Self {
        Self { id: id.to_string(), replay_id: replay.to_string(), status: "Queued" }
    }

    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings always have a JSON form")
    }
}

/// Reads the body, or says all that is wrong with it.
pub(super) fn read(
    body: &[u8],
    caller: &Caller,
    settings: &ManagementSettings,
    catalogue: &Catalogue,
) -> Result<Asked, Error> {
    let mut given = Given::default();
    let (mut id, mut delivered, mut event, mut limit, mut dry_run) = (None, false, None, None, None);
    let (mut client_id, mut organisation) = (None, None);
    let members = given.members("", json(body)?).unwrap_or_default();
    for required in ["limit", "dryRun"] {
        if members.iter().all(|(name, _)| name != required) {
            given.missing(required);
        }
    }
    for (name, value) in members {
        match &*name {
            "id" => id = read_uuid(&mut given, value),
            "status" => {
                delivered = given.one_of("status", value, &[("sent", true), ("fail", false)]).unwrap_or_default();
            }
            "event" => event = read_event(&mut given, value, settings, catalogue),
            "limit" => limit = read_limit(&mut given, value, settings.replay_max),
            "clientId" => client_id = given.text("clientId", value),
            "organisation" => organisation = given.text("organisation", value),
            "dryRun" => dry_run = read_flag(&mut given, value),
            _ => given.unknown("", &name),
        }
    }
    let client_id = client_id.map_or_else(|| caller.client_id.clone(), |id| ClientId::new(&id));
    let organisation =
        organisation.map(std::borrow::Cow::into_owned).or_else(|| caller.affiliation.organisation.clone());
    let unknown = given.finish(settings.unknown_members)?;
    // What is missing has been refused.
    let (limit, dry_run) = (limit.unwrap_or(1), dry_run.unwrap_or(true));
    Ok(Asked { id, delivered, event, limit, client_id, organisation, dry_run, unknown })
}

fn read_uuid(given: &mut Given, value: &RawValue) -> Option<Uuid> {
    let uuid = Uuid::try_parse(&given.text("id", value)?).ok();
    if uuid.is_none() {
        given.refuse("id", "must be a UUID");
    }
    uuid
}

fn read_flag(given: &mut Given, value: &RawValue) -> Option<bool> {
    let flag = serde_json::from_str(value.get()).ok();
    if flag.is_none() {
        given.refuse("dryRun", "must be true or false");
    }
    flag
}

/// A whole number; above the maximum, the maximum.
fn read_limit(given: &mut Given, value: &RawValue, max: usize) -> Option<usize> {
    let text = value.get();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<usize>() {
        Ok(limit @ 1..) => Some(limit.min(max)),
        Err(_) if digits => Some(max),
        _ => {
            given.refuse("limit", "must be a whole number, at least 1");
            None
        }
    }
}

fn read_event(
    given: &mut Given,
    value: &RawValue,
    settings: &ManagementSettings,
    catalogue: &Catalogue,
) -> Option<Event> {
    let mut event = Event::default();
    let members = given.members("event", value)?;
    for (name, value) in &members {
        let path = join("event", name);
        match &**name {
            "eventType" => event.event_type = given.text(&path, value).map(|text| EventTypeId::new(&text)),
            "from" => event.from = read_bounds(given, &path, value, settings).map(|(from, _)| from),
            "to" => event.to = read_bounds(given, &path, value, settings).map(|(_, to)| to),
            "attributes" => {}
            name => given.refuse(&path, format!("{name} is not one of eventType, from, to and attributes")),
        }
    }
    if let Some((_, value)) = members.iter().find(|(name, _)| name == "attributes") {
        let declared = declared(event.event_type.as_ref(), catalogue);
        event.attributes = filters::read_attributes(given, "event.attributes", value, Some(&declared));
    }
    Some(event)
}

/// The attributes that the type declares, or where none is named all of the catalogue's; in order.
fn declared(event_type: Option<&EventTypeId>, catalogue: &Catalogue) -> Vec<String> {
    let mut declared: Vec<_> = match event_type {
        Some(id) => catalogue.get(id.as_str()).into_iter().flat_map(|of| &of.attributes).cloned().collect(),
        None => catalogue.iter().flat_map(|of| &of.attributes).cloned().collect(),
    };
    declared.sort_unstable();
    declared.dedup();
    declared
}

fn read_bounds(
    given: &mut Given,
    path: &str,
    value: &RawValue,
    settings: &ManagementSettings,
) -> Option<(Timestamp, Timestamp)> {
    let bounds = expiry::bounds(&given.text(path, value)?, &settings.time_zone);
    if bounds.is_none() {
        given.refuse(path, "must be an instant (RFC 3339), or a date such as 2027-08-24");
    }
    bounds
}

impl Asked {
    /// What the engine is asked for; `None` where the id is none of a notification of ours.
    pub(super) fn replay(&self, by: String) -> Option<Replay> {
        let notification = match self.id {
            Some(id) => Some(LedgerId::parse(&id.to_string())?),
            None => None,
        };
        let event = self.event.as_ref();
        Some(Replay {
            notification,
            delivered: self.delivered,
            event_type: event.and_then(|event| event.event_type.clone()),
            from: event.and_then(|event| event.from),
            to: event.and_then(|event| event.to),
            attributes: event.map(|event| event.attributes.clone()).unwrap_or_default(),
            limit: self.limit,
            by,
            dry_run: self.dry_run,
        })
    }

    /// What is answered of the replay `id`.
    pub(super) fn answer(&self, id: Uuid, done: &Replayed) -> Answer {
        let Replayed { matched, queued } = done;
        // Its replay's id is made of both.
        let one = |notification: &LedgerId| One::of(*notification, uuid_v5(id, &notification.to_string()));
        let results =
            Results { matched: *matched, queued: queued.len(), notifications: queued.iter().map(one).collect() };
        let request = Request {
            id: self.id.map(|id| id.to_string()),
            status: if self.delivered { "sent" } else { "fail" },
            event: self.event.as_ref().map(Event::shown),
            limit: self.limit,
            client_id: self.client_id.as_str().to_owned(),
            organisation: self.organisation.clone(),
            dry_run: self.dry_run,
        };
        Answer { id: id.to_string(), request, results }
    }
}

impl Event {
    fn shown(&self) -> Value {
        let Self { event_type, from, to, attributes } = self;
        let mut shown = Map::new();
        let texts = [
            ("eventType", event_type.as_ref().map(|id| id.as_str().to_owned())),
            ("from", from.map(Timestamp::to_rfc3339_millis)),
            ("to", to.map(Timestamp::to_rfc3339_millis)),
        ];
        for (name, text) in texts {
            shown.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        }
        if !attributes.is_empty() {
            shown.insert("attributes".to_owned(), filters::shown_attributes(attributes));
        }
        shown.into()
    }
}

impl Answer {
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists always have a JSON form")
    }
}
