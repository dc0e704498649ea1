//! What templates know.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use minijinja::Value;

use super::json::{self, Fields};
use crate::base::clock::Timestamp;
use crate::channel::Message;

/// What is to be rendered, for whom.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The template's name, where it is not the event's type.
    pub template: Option<&'a str>,
    /// The language; `None`: the default one.
    pub locale: Option<&'a str>,
    /// The language of those who have named none.
    pub default_locale: &'a str,
    /// Who gets it.
    pub address: &'a str,
    /// What people call the event's type.
    pub type_name: Option<&'a str>,
    /// The notification and its event.
    pub message: &'a Message,
}

impl Wanted<'_> {
    /// The event's type.
    pub(super) fn event_type(&self) -> &str {
        self.message.event.draft.event_type.as_str()
    }
}

/// The variables by their names; the same ones for every event.
pub(super) type Variables = BTreeMap<&'static str, Value>;

/// What templates know of `wanted`.
pub(super) fn variables(wanted: &Wanted<'_>, zone: &TimeZone) -> Variables {
    let mut variables = of_event(wanted, zone);
    let Wanted { template: _, locale, default_locale, address, type_name: _, message } = *wanted;
    variables.extend([
        ("event_id", Value::from(message.event.id.to_string())),
        ("notification_id", Value::from(message.id.to_string())),
        ("subscription", Value::from(message.subscription.id.as_str())),
        ("address", Value::from(address)),
        ("locale", Value::from(locale.unwrap_or(default_locale))),
    ]);
    variables
}

fn of_event(wanted: &Wanted<'_>, zone: &TimeZone) -> Variables {
    let event = &wanted.message.event;
    let draft = &event.draft;
    let id = draft.id.clone().unwrap_or_else(|| event.id.to_string());
    let time = draft.time.as_ref().map_or(event.accepted, |time| time.instant);
    let written = draft.time.as_ref().map_or_else(|| time.to_rfc3339_millis(), |time| time.text.clone());
    let extensions = draft.extensions.iter().map(|extension| (extension.name.clone(), json::value(&extension.value)));
    let (fields, more_fields) = draft.data.as_ref().map(Fields::of).unwrap_or_default().into_values();
    BTreeMap::from([
        ("type", Value::from(draft.event_type.as_str())),
        ("type_name", Value::from(wanted.type_name.unwrap_or(draft.event_type.as_str()))),
        ("source", Value::from(draft.source.as_str())),
        ("subject", known(draft.subject.as_deref())),
        ("id", Value::from(id)),
        ("time", Value::from(shown(time, zone))),
        ("time_rfc3339", Value::from(written)),
        ("accepted", Value::from(shown(event.accepted, zone))),
        ("dataschema", known(draft.data_schema.as_deref())),
        ("extensions", Value::from_object(extensions.collect::<BTreeMap<_, _>>())),
        ("data", draft.data.as_ref().map_or_else(|| Value::from(()), json::value)),
        ("fields", fields),
        ("more_fields", more_fields),
    ])
}

/// A text, or what is asked for without a fault and prints as nothing.
fn known(text: Option<&str>) -> Value {
    text.map_or_else(|| Value::from(()), Value::from)
}

/// An instant as people read it: `2026-11-23 07:01:29 NZDT`.
pub(super) fn shown(instant: Timestamp, zone: &TimeZone) -> String {
    // A timestamp is always inside what jiff can represent.
    let instant = jiff::Timestamp::from_millisecond(instant.as_millis()).unwrap_or_default();
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// An RFC 3339 instant of the data as people read it; what is none stays as it is.
pub(super) fn localtime(value: &Value, zone: &TimeZone) -> Value {
    match value.as_str().and_then(Timestamp::parse_rfc3339) {
        Some(instant) => Value::from(shown(instant, zone)),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_the_site_s_zone() {
        let instant = Timestamp::parse_rfc3339("2026-11-22T18:01:29.5Z").unwrap();
        let zone = |name: &str| TimeZone::get(name).unwrap();
        assert_eq!(shown(instant, &TimeZone::UTC), "2026-11-22 18:01:29 UTC");
        assert_eq!(shown(instant, &zone("Pacific/Auckland")), "2026-11-23 07:01:29 NZDT");
        assert_eq!(shown(instant, &zone("America/Sao_Paulo")), "2026-11-22 15:01:29 -03");
    }

    #[test]
    fn only_instants_are_turned_into_local_time() {
        let local = |value: Value| localtime(&value, &TimeZone::UTC).to_string();
        assert_eq!(local(Value::from("2026-11-22T18:01:29+01:00")), "2026-11-22 17:01:29 UTC");
        assert_eq!(local(Value::from("tomorrow")), "tomorrow");
        assert_eq!(local(Value::from(7)), "7");
    }
}
