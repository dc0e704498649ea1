//! `[events]` and `[[event_types]]`: the catalogue and the history.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::clients::refuse_same_ids;
use super::crossings::OwnTtl;
use super::filter::NOT;
use super::kind::{DAY, SECOND, TIB, boolean, count, duration, list, located, size, text, type_id};
use super::limits::Limits;
use super::places::join_key;
use super::reader::{Item, Located, Section, Shown, nearest};
use crate::model::catalogue::{Catalogue, EventType};
use crate::model::id::EventTypeId;
use crate::model::notification::{ByKind, EndpointKind};
use crate::model::subscription::ContractName;
use crate::store::StoreSettings;

/// The longest that anything waits or is kept.
const LONGEST: Duration = Duration::from_hours(24 * 3660);

/// The kinds of endpoint that a registration can have.
const MANDATORY: [(&str, &str); 2] = [("webhook", "webhook"), ("email", "email")];

/// The most attributes of a type, and the most characters of one.
const MAX_ATTRIBUTES: usize = 100;

const AUDIENCE: [(&str, bool); 2] = [("optional", false), ("required", true)];

/// `[events]`, `[[event_types]]` and `[store]`.
pub(super) struct Events {
    pub(super) catalogue: Catalogue,
    pub(super) store: StoreSettings,
    /// The zone in which people are shown instants.
    pub(super) time_zone: TimeZone,
    /// How long the notifications of types live that say so themselves.
    pub(super) own_ttls: Vec<OwnTtl>,
}

/// Reads them.
pub(super) fn read(top: &Section<'_>, limits: &Limits) -> Events {
    let (own_ttls, types) = read_types(top);
    let two_phase_commit = top.section("store", |store| store.required("two_phase_commit", boolean));
    top.section("events", |events| {
        let ttl = events.section("ttl", |ttl| ByKind {
            poll: ttl.required("poll", lifetime),
            webhook: ttl.required("webhook", lifetime),
            email: ttl.required("email", lifetime),
        });
        let closed = events.choice("catalogue", &[("open", false), ("closed", true)]);
        let catalogue = Catalogue::new(closed, ttl, events.choice("audience", &AUDIENCE), types);
        let store = StoreSettings {
            two_phase_commit,
            duplicate_window: events.required("duplicate_window", duration(Duration::ZERO..=LONGEST)),
            duplicate_events: events.required("duplicate_events", count(0..=100_000_000)),
            history: events.required("history", duration(Duration::ZERO..=LONGEST)),
            history_max: events.required("history_max", size(0..=1024 * TIB)),
            ..limits.store.clone()
        };
        let time_zone = events.required("time_zone", |item| time_zone(item).map(Some)).unwrap_or(TimeZone::UTC);
        Events { catalogue, store, time_zone, own_ttls }
    })
}

/// A zone of the IANA database.
pub(super) fn time_zone(item: &Item<'_>) -> Option<TimeZone> {
    let text = text(item)?;
    if let Ok(zone) = TimeZone::get(&text) {
        return Some(zone);
    }
    let form = "must be \"UTC\" or a zone of the IANA database such as \"Europe/Paris\"";
    let zones: Vec<_> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let advice = nearest(&text, zones.iter().map(String::as_str));
    item.reader.error_with(&item.path, format!("{form}, not {}", Shown(&text)), advice);
    None
}

fn lifetime(item: &Item<'_>) -> Option<Duration> {
    duration(SECOND..=366 * DAY)(item)
}

fn read_types(top: &Section<'_>) -> (Vec<OwnTtl>, Vec<EventType>) {
    let types = top.list("event_types", |entry| (entry.path.clone(), read_type(entry)));
    refuse_same_ids(top, types.iter().map(|(_, (id, _))| id));
    let types = types.into_iter().map(|(path, (_, event_type))| (Located { value: event_type.ttl, path }, event_type));
    types.unzip()
}

fn read_type(entry: &Section<'_>) -> (Located<String>, EventType) {
    let id = entry.required("id", located(type_id));
    let event_type = EventType {
        id: EventTypeId::new(&id.value),
        name: entry.optional("name", text).unwrap_or_else(|| id.value.clone()),
        category: entry.optional("category", text).unwrap_or_default(),
        channels: entry.optional("channels", list(1, channel)).map(kinds),
        contracts: entry.optional("contracts", list(1, contract)).map(names),
        ttl: entry.section("ttl", |ttl| ByKind {
            poll: ttl.optional("poll", lifetime),
            webhook: ttl.optional("webhook", lifetime),
            email: ttl.optional("email", lifetime),
        }),
        audience_required: entry.optional("audience", |item| item.one_of(&AUDIENCE)).unwrap_or_default(),
        mandatory: entry.optional("mandatory", list(1, mandatory)).map(kinds).unwrap_or_default(),
        attributes: entry.optional("attributes", attributes).unwrap_or_default(),
        urgent: entry.optional("urgent", boolean).unwrap_or_default(),
    };
    check_mandatory(entry, &event_type);
    (id, event_type)
}

/// What every registration has has to be open to it.
fn check_mandatory(entry: &Section<'_>, event_type: &EventType) {
    let path = join_key(&entry.path, "mandatory");
    if let Some(kind) = event_type.mandatory.iter().find(|kind| !event_type.may_go_to(**kind)) {
        let message = format!("it is mandatory for {}, but channels leaves that out", kind.as_str());
        entry.reader.error_with(&path, message, Some("name it in channels, or leave it out here".to_owned()));
    }
    let registrations = ContractName::Registrations.as_str();
    let open = event_type.contracts.as_ref().is_none_or(|contracts| contracts.iter().any(|c| c == registrations));
    if !event_type.mandatory.is_empty() && !open {
        let message = "mandatory is for registrations, but contracts leaves them out";
        entry.reader.error_with(&path, message, Some("name registrations in contracts, or leave it out".to_owned()));
    }
}

fn mandatory(item: &Item<'_>) -> Option<String> {
    item.one_of(&MANDATORY).map(str::to_owned)
}

/// What filters may ask for.
fn attributes(item: &Item<'_>) -> Option<Vec<String>> {
    let attributes = list(0, attribute)(item)?;
    if attributes.len() > MAX_ATTRIBUTES {
        return item.refuse(format!("must have at most {MAX_ATTRIBUTES} entries"));
    }
    Some(names(attributes))
}

fn attribute(item: &Item<'_>) -> Option<String> {
    let name = type_id(item)?;
    if name == NOT {
        item.refuse(format!("{NOT} negates in a filter: no attribute can be called so"))
    } else {
        Some(name)
    }
}

fn channel(item: &Item<'_>) -> Option<String> {
    item.one_of(&EndpointKind::ALL.map(|kind| (kind.as_str(), kind))).map(|kind| kind.as_str().to_owned())
}

fn contract(item: &Item<'_>) -> Option<String> {
    item.one_of(&ContractName::ALL.map(|contract| (contract.as_str(), contract.as_str()))).map(str::to_owned)
}

fn kinds(names: Vec<Located<String>>) -> Vec<EndpointKind> {
    let of_name = |name: Located<String>| EndpointKind::ALL.into_iter().find(|kind| kind.as_str() == name.value);
    names.into_iter().filter_map(of_name).collect()
}

fn names(located: Vec<Located<String>>) -> Vec<String> {
    located.into_iter().map(|name| name.value).collect()
}
