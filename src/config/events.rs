//! `[events]` and `[[event_types]]`: the catalogue and the history.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::clients::refuse_same_ids;
use super::crossings::OwnTtl;
use super::kind::{DAY, SECOND, TIB, boolean, count, duration, list, located, size, text, type_id};
use super::limits::Limits;
use super::reader::{Item, Located, Section, Shown};
use crate::model::catalogue::{Catalogue, EventType};
use crate::model::id::EventTypeId;
use crate::model::notification::{ByKind, EndpointKind};
use crate::store::StoreSettings;

/// The longest that anything waits or is kept.
const LONGEST: Duration = Duration::from_hours(24 * 3660);

/// The contracts that a type can be open to (contracts/README.md), also those of later releases.
const CONTRACTS: [(&str, &str); 5] = [
    ("polling", "polling"),
    ("registrations", "registrations"),
    ("management", "management"),
    ("recipients", "recipients"),
    ("trigger", "trigger"),
];

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

/// The zone in which people are shown instants.
fn time_zone(item: &Item<'_>) -> Option<TimeZone> {
    let text = text(item)?;
    TimeZone::get(&text).ok().or_else(|| {
        let form = "must be \"UTC\" or a zone of the IANA database such as \"Europe/Paris\"";
        item.refuse(format!("{form}, not {}", Shown(&text)))
    })
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
        mandatory: Vec::new(),
    };
    (id, event_type)
}

fn channel(item: &Item<'_>) -> Option<String> {
    item.one_of(&EndpointKind::ALL.map(|kind| (kind.as_str(), kind))).map(|kind| kind.as_str().to_owned())
}

fn contract(item: &Item<'_>) -> Option<String> {
    item.one_of(&CONTRACTS).map(str::to_owned)
}

fn kinds(names: Vec<Located<String>>) -> Vec<EndpointKind> {
    let of_name = |name: Located<String>| EndpointKind::ALL.into_iter().find(|kind| kind.as_str() == name.value);
    names.into_iter().filter_map(of_name).collect()
}

fn names(located: Vec<Located<String>>) -> Vec<String> {
    located.into_iter().map(|name| name.value).collect()
}
