//! The attributes of one event, whatever form they came in (`CloudEvents` 1.0, "Context Attributes").

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::form::{Context, Form};
use super::problems::Problems;
use crate::api::instant;
use crate::api::media_type::MediaType;
use crate::base::clock::Timestamp;
use crate::base::trace::TraceContext;
use crate::model::event::{EventDraft, EventTime, Extension};
use crate::model::id::{EventTypeId, MAX_NAME};
use crate::model::json::{RawJson, string};
use crate::model::owners::Owners;

/// The value of an attribute as it came in.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// A header's, decoded.
    Header(Cow<'a, str>),
    /// A member's, and the body that it lies in.
    Member(&'a Bytes, &'a RawValue),
}

/// The attributes that mean something here.
const KNOWN: [&str; 12] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "audience",
    "expirytime",
    "traceparent",
    "tracestate",
];

/// An attribute that may be missing or wrong.
#[derive(Debug, Default)]
enum Field<T> {
    #[default]
    Absent,
    /// What is wrong has been noted.
    Bad,
    Good(T),
}

/// The attributes of one event as they are read.
pub(super) struct Attributes<'a> {
    context: &'a Context<'a>,
    pointer: String,
    problems_before: usize,
    specversion: Field<()>,
    id: Field<String>,
    source: Field<String>,
    event_type: Field<EventTypeId>,
    subject: Field<String>,
    time: Field<EventTime>,
    data_schema: Field<String>,
    audience: Field<Owners>,
    expiry: Field<Timestamp>,
    trace_parent: Option<String>,
    trace_state: Option<String>,
    extensions: Vec<Extension>,
}

impl<T> Field<T> {
    fn good(self) -> Option<T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

impl<'a> Attributes<'a> {
    /// No attributes yet, of the event at `pointer`.
    pub(super) fn new(context: &'a Context<'a>, pointer: String, problems: &Problems) -> Self {
        Self {
            context,
            pointer,
            problems_before: problems.len(),
            specversion: Field::Absent,
            id: Field::Absent,
            source: Field::Absent,
            event_type: Field::Absent,
            subject: Field::Absent,
            time: Field::Absent,
            data_schema: Field::Absent,
            audience: Field::Absent,
            expiry: Field::Absent,
            trace_parent: None,
            trace_state: None,
            extensions: Vec::new(),
        }
    }

    /// Takes the attribute `name`; what is wrong with it goes to `problems`.
    pub(super) fn set(&mut self, name: &str, value: Value<'_>, problems: &mut Problems) {
        if value.is_null() && self.may_be_null(name) {
            return;
        }
        let outcome = match name {
            "specversion" => keep(&mut self.specversion, text(value).and_then(|t| version(&t))),
            "id" => keep(&mut self.id, text(value).map(Cow::into_owned)),
            "source" => keep(&mut self.source, text(value).map(Cow::into_owned)),
            "type" => keep(&mut self.event_type, text(value).and_then(|t| event_type(&t))),
            "subject" => keep(&mut self.subject, text(value).map(Cow::into_owned)),
            "time" => keep(&mut self.time, text(value).and_then(event_time)),
            "dataschema" => keep(&mut self.data_schema, text(value).map(Cow::into_owned)),
            "audience" => keep(&mut self.audience, text(value).and_then(|t| audience(&t))),
            "expirytime" => keep(&mut self.expiry, text(value).and_then(|t| expiry(&t))),
            "datacontenttype" => return self.set_content_type(value, problems),
            // A malformed trace is ignored (contracts/events.md).
            "traceparent" => return self.trace_parent = text(value).ok().map(Cow::into_owned),
            "tracestate" => return self.trace_state = text(value).ok().map(Cow::into_owned),
            _ => self.extend(name, value),
        };
        if let Err(detail) = outcome {
            problems.invalid(self.pointer_to(name), detail);
        }
    }

    /// Notes that the attribute `name` is there, but not in a form that could be looked at.
    pub(super) fn refuse(&mut self, name: &str, detail: String, problems: &mut Problems) {
        match name {
            "specversion" => self.specversion = Field::Bad,
            "id" => self.id = Field::Bad,
            "source" => self.source = Field::Bad,
            "type" => self.event_type = Field::Bad,
            "audience" => self.audience = Field::Bad,
            // Nobody asks whether another one is there.
            _ => {}
        }
        problems.invalid(self.pointer_to(name), detail);
    }

    /// JSON of any kind is taken, nothing else. Another kind than `application/json` itself is kept to be handed on.
    fn set_content_type(&mut self, value: Value<'_>, problems: &mut Problems) {
        const NAME: &str = "datacontenttype";
        match text(value) {
            Err(detail) => problems.invalid(self.pointer_to(NAME), detail),
            Ok(text) => match MediaType::parse(&text) {
                Some(kind) if kind.is("application/json") => {}
                Some(kind) if kind.is_json() => {
                    self.extensions.push(Extension { name: NAME.to_owned(), value: RawJson::string(&text) });
                }
                _ => problems.media_type(self.pointer_to(NAME), "must be application/json or end in +json, in UTF-8"),
            },
        }
    }

    /// An attribute that is null is absent (`CloudEvents` JSON format 1.0.2, 2.2), if it could be there.
    fn may_be_null(&self, name: &str) -> bool {
        KNOWN.contains(&name) || self.context.form != Form::Plain && is_legal(name)
    }

    fn extend(&mut self, name: &str, value: Value<'_>) -> Result<(), String> {
        if self.context.form == Form::Plain {
            return Err("is not a member of an event in this form".to_owned());
        }
        if !is_legal(name) {
            return Err("attribute names consist of lower-case letters and digits (CloudEvents 1.0)".to_owned());
        }
        if name == "data" {
            return Err("no attribute can have this name (CloudEvents 1.0)".to_owned());
        }
        let value = extension_value(value)?;
        self.extensions.push(Extension { name: name.to_owned(), value });
        Ok(())
    }

    /// The event with `data`, unless something was wrong with it.
    pub(super) fn finish(mut self, data: Option<RawJson>, problems: &mut Problems) -> Option<EventDraft> {
        self.require(problems);
        if problems.len() > self.problems_before {
            self.object(problems);
            return None;
        }
        let publisher = self.context.publisher;
        let own_trace = self.trace_parent.and_then(|parent| TraceContext::parse(&parent, self.trace_state.as_deref()));
        Some(EventDraft {
            publisher: publisher.clone(),
            id: self.id.good(),
            source: self.source.good().unwrap_or_else(|| format!("urn:tidings:client:{publisher}")),
            event_type: self.event_type.good()?,
            subject: self.subject.good(),
            time: self.time.good(),
            data_schema: self.data_schema.good(),
            audience: self.audience.good(),
            expiry: self.expiry.good(),
            trace: own_trace.or_else(|| self.context.trace.clone()),
            extensions: self.extensions,
            data,
        })
    }

    /// Notes what is missing: `CloudEvents` require four attributes, the plain form one.
    fn require(&mut self, problems: &mut Problems) {
        let plain = self.context.form == Form::Plain;
        for (name, absent, needed) in [
            ("specversion", matches!(self.specversion, Field::Absent), !plain),
            ("id", matches!(self.id, Field::Absent), !plain),
            ("source", matches!(self.source, Field::Absent), !plain),
            ("type", matches!(self.event_type, Field::Absent), true),
        ] {
            if absent && needed {
                problems.invalid(self.pointer_to(name), "is required");
            }
        }
    }

    /// Adds what the catalogue has against a faulty event, so that a caller sees all at once.
    fn object(&self, problems: &mut Problems) {
        let Field::Good(event_type) = &self.event_type else { return };
        let has_audience = !matches!(self.audience, Field::Absent);
        for objection in self.context.engine.objections(event_type.as_str(), has_audience) {
            problems.objection(&self.pointer, objection);
        }
    }

    /// The JSON Pointer to the member `name` (RFC 6901).
    pub(super) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }
}

/// Puts a value into its field; hands on what is wrong with it.
fn keep<T>(field: &mut Field<T>, value: Result<T, String>) -> Result<(), String> {
    match value {
        Ok(value) => {
            *field = Field::Good(value);
            Ok(())
        }
        Err(detail) => {
            *field = Field::Bad;
            Err(detail)
        }
    }
}

/// CloudEvents 1.0, "Naming Conventions".
fn is_legal(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
}

impl<'a> Value<'a> {
    fn is_null(&self) -> bool {
        matches!(self, Self::Member(_, raw) if raw.get() == "null")
    }

    /// The text of a string without control characters (`CloudEvents` 1.0, "Type System").
    fn string(self) -> Result<Cow<'a, str>, String> {
        let text = match self {
            Self::Header(text) => text,
            Self::Member(_, raw) => string(raw).ok_or("must be a string")?,
        };
        if text.chars().any(char::is_control) {
            Err("must not contain control characters".to_owned())
        } else {
            Ok(text)
        }
    }
}

/// A string that is not empty.
fn text(value: Value<'_>) -> Result<Cow<'_, str>, String> {
    let text = value.string()?;
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text) }
}

/// A string, a number or a boolean as JSON.
fn extension_value(value: Value<'_>) -> Result<RawJson, String> {
    match value {
        Value::Header(_) => value.string().map(|text| RawJson::string(&text)),
        Value::Member(body, raw) => match raw.get().as_bytes() {
            [b'{' | b'[', ..] => Err("must be a string, a number or a boolean".to_owned()),
            [b'"', ..] => value.string().map(|_| RawJson::part_of(body, raw)),
            _ => Ok(RawJson::part_of(body, raw)),
        },
    }
}

fn version(text: &str) -> Result<(), String> {
    if text == "1.0" { Ok(()) } else { Err("must be \"1.0\"".to_owned()) }
}

fn event_type(text: &str) -> Result<EventTypeId, String> {
    if text.chars().count() > MAX_NAME {
        return Err(format!("must be at most {MAX_NAME} characters"));
    }
    Ok(EventTypeId::new(text))
}

fn event_time(text: Cow<'_, str>) -> Result<EventTime, String> {
    let instant = timestamp(instant::parse(&text))?;
    Ok(EventTime { text: text.into_owned(), instant })
}

fn expiry(text: &str) -> Result<Timestamp, String> {
    timestamp(instant::parse_end(text))
}

fn timestamp(instant: Option<jiff::Timestamp>) -> Result<Timestamp, String> {
    let instant = instant.ok_or("must be an RFC 3339 instant, for example 2018-01-23T04:56:22Z")?;
    Ok(Timestamp::from_millis(instant.as_millisecond()))
}

/// An audience that names nobody is refused: taken as absent, it would reach everyone.
fn audience(text: &str) -> Result<Owners, String> {
    Owners::parse_audience(text).ok_or_else(|| "must name at least one owner".to_owned())
}
