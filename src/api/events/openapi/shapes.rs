//! The forms of an event as the contract's document describes them.
//!
//! [`crate::api::events::attributes`] reads them one by one, to say all that is wrong; here they are once more as one table, which
//! the schemas of the JSON forms and the headers of binary mode follow from.

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::api::events::structured::MAX_EVENTS;
use crate::api::openapi::header;
use crate::model::id::MAX_NAME;

/// A string that is not empty and has no control characters (`CloudEvents` 1.0, "Type System").
const TEXT: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
/// The same with something besides commas and blanks: the name of an owner.
const NAMES: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s,\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// JSON of any kind, in UTF-8; in its usual spelling.
const JSON: &str = r"^(application/json|[a-z0-9.+-]+/[a-z0-9.+-]+\+json)( *; *charset=utf-8)?$";

/// An attribute of an event.
pub(super) struct Attribute {
    name: &'static str,
    kind: Kind,
    /// Whether every `CloudEvent` has it.
    required: bool,
    text: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    Version,
    Type,
    Text,
    Names,
    Instant,
    /// Whatever it is, it is never refused.
    Trace,
}

/// The attributes that mean something here, but for those of the data.
pub(super) const ATTRIBUTES: [Attribute; 11] = [
    attribute("specversion", Kind::Version, true, "The version of CloudEvents."),
    attribute("type", Kind::Type, true, "What kind of event it is: an entry of the catalogue."),
    attribute("id", Kind::Text, true, "The producer's id of the event, unique within its source."),
    attribute("source", Kind::Text, true, "Where it happened: a URI reference."),
    attribute("subject", Kind::Text, false, "What it happened to."),
    attribute("time", Kind::Instant, false, "When it happened."),
    attribute("dataschema", Kind::Text, false, "The schema of the data; handed on."),
    attribute("audience", Kind::Names, false, "The owners that it is for, separated by commas; without it: everyone."),
    attribute("expirytime", Kind::Instant, false, "No notification of it is handed out after this instant."),
    attribute("traceparent", Kind::Trace, false, "Its trace (W3C Trace Context); a malformed one is ignored."),
    attribute("tracestate", Kind::Trace, false, "What goes with the trace; a malformed one is ignored."),
];

const fn attribute(name: &'static str, kind: Kind, required: bool, text: &'static str) -> Attribute {
    Attribute { name, kind, required, text }
}

impl Attribute {
    /// The header that has it in binary mode.
    pub(super) fn header(&self) -> Parameter {
        let schema = self.schema(false).schema_type(Type::String);
        header(&format!("ce-{}", self.name), &format!("Binary mode: {}", self.text), schema)
    }

    fn schema(&self, or_null: bool) -> ObjectBuilder {
        let schema = match self.kind {
            Kind::Version => version(or_null),
            Kind::Type => text().max_length(Some(MAX_NAME)),
            Kind::Text => text(),
            Kind::Names => text().pattern(Some(NAMES)),
            Kind::Trace => return ObjectBuilder::new().schema_type(SchemaType::AnyValue),
            Kind::Instant => ObjectBuilder::new().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        };
        let kind = if or_null { SchemaType::from_iter([Type::String, Type::Null]) } else { Type::String.into() };
        schema.schema_type(kind)
    }
}

fn version(or_null: bool) -> ObjectBuilder {
    let null = or_null.then_some(Value::Null);
    ObjectBuilder::new().enum_values(Some([Value::from("1.0")].into_iter().chain(null)))
}

/// A string that is not empty.
fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(TEXT))
}

/// An event with `required` of its attributes; the others may be null, which says that they are absent.
fn event(required: impl Fn(&Attribute) -> bool) -> ObjectBuilder {
    let mut event = ObjectBuilder::new().schema_type(Type::Object);
    for attribute in &ATTRIBUTES {
        let required = required(attribute);
        let schema = attribute.schema(!required).description(Some(attribute.text));
        event = event.property(attribute.name, schema);
        if required {
            event = event.required(attribute.name);
        }
    }
    let or_null = SchemaType::from_iter([Type::String, Type::Null]);
    let content_type = text().pattern(Some(JSON)).schema_type(or_null);
    let content_type = content_type.description(Some("The data's media type: JSON of any kind, in UTF-8."));
    let data = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some("What happened, in any JSON."));
    event.property("datacontenttype", content_type).property("data", data)
}

/// One event as `application/json`: only its type is required, and it has no extension attributes.
pub(super) struct PlainEvent;

impl PartialSchema for PlainEvent {
    fn schema() -> RefOr<Schema> {
        let event = event(|attribute| attribute.name == "type");
        let text = "An event in which only the type is required.";
        let closed = AdditionalProperties::FreeForm(false);
        Schema::from(event.additional_properties(Some(closed)).description(Some(text))).into()
    }
}

impl ToSchema for PlainEvent {
    fn name() -> Cow<'static, str> {
        "PlainEvent".into()
    }
}

/// One event as `application/cloudevents+json`.
pub(in crate::api::events) struct CloudEvent;

impl PartialSchema for CloudEvent {
    fn schema() -> RefOr<Schema> {
        let kinds = SchemaType::from_iter([Type::String, Type::Number, Type::Boolean, Type::Null]);
        let extension = text().schema_type(kinds).pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"));
        let names = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z0-9]+$"));
        let text = "A CloudEvent 1.0, with extension attributes of any legal name, which are handed on.";
        let event = event(|attribute| attribute.required).property_names(Some(names.build()));
        Schema::from(event.additional_properties(Some(Schema::from(extension))).description(Some(text))).into()
    }
}

impl ToSchema for CloudEvent {
    fn name() -> Cow<'static, str> {
        "CloudEvent".into()
    }
}

/// An array of them as `application/cloudevents-batch+json`.
pub(super) struct Batch;

impl PartialSchema for Batch {
    fn schema() -> RefOr<Schema> {
        let events = ArrayBuilder::new().items(Ref::from_schema_name(CloudEvent::name()));
        let text = "CloudEvents that are stored together.";
        Schema::from(events.min_items(Some(1)).max_items(Some(MAX_EVENTS)).description(Some(text))).into()
    }
}

impl ToSchema for Batch {
    fn name() -> Cow<'static, str> {
        "Batch".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((CloudEvent::name().into_owned(), CloudEvent::schema()));
    }
}
