//! Publishing, as the document describes it.

use hyper::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::path::Parameter;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::shapes::{ATTRIBUTES, Attribute, Batch, CloudEvent, PlainEvent};
use crate::api::events::EventsSettings;
use crate::api::events::error::Error;
use crate::api::events::problems::Problems;
use crate::api::events::publish::{Operation, no_form};
use crate::api::events::receipt::Published;
use crate::api::openapi::{Description, Shape, header};
use crate::api::problem::{FieldError, Problem};
use crate::http::contract::Response;

/// What the document says of a producer's operation.
pub(super) fn describe(operation: Operation, settings: &EventsSettings) -> Description {
    match operation {
        Operation::Publish => publish(settings),
    }
}

fn publish(settings: &EventsSettings) -> Description {
    let detail = "is none of the types that the credential may publish".to_owned();
    let outside = FieldError { pointer: "/type".to_owned(), detail };
    let fault = |error: Error| error.answer(&settings.public_url, "");
    let text = format!(
        "Stores events and hands them on to every matching subscription. A 202 says that this is on disk. A batch is \
         stored as a whole or not at all.\n\n\
         With a `ce-specversion` header the request is one CloudEvent in binary mode, whatever its Content-Type: the \
         attributes stand in `ce-` headers, values percent-decoded, and the body is the data. Otherwise Content-Type \
         decides. An event is at most {} bytes, a batch at most {}; data is JSON in all forms and kept byte for byte.\n\n\
         `source` and `id` are the event's identity: a repeat is answered with the first answer and \
         `\"duplicate\": true`, the same identity with other contents is refused.",
        settings.max_event, settings.max_batch
    );
    let published = Response::json(StatusCode::ACCEPTED, receipt().to_string());
    let description = Description::new("Publish events", text)
        .takes("application/json", Shape::of::<PlainEvent>(), &[("plain", plain())])
        .takes("application/cloudevents+json", Shape::of::<CloudEvent>(), &[("structured", cloud_event())])
        .takes("application/cloudevents-batch+json", Shape::of::<Batch>(), &[("batch", json!([cloud_event()]))])
        .answers("published", "All is stored; a batch is answered with an array.", Shape::of::<Published>(), &published)
        .fails("invalid", "Something in the body or the `ce-` headers is not valid.", &fault(invalid().into()))
        .fails("identity-conflict", "Another event has this identity.", &fault(Error::conflict("/0".to_owned())))
        .fails("out-of-bounds", "The credential may not publish this.", &fault(Error::out_of_bounds(vec![outside])))
        .fails(
            "no-room",
            "The server's disk is nearly full: nothing is stored until there is room again.",
            &fault(Error::new(Problem::InsufficientStorage, "Nothing was stored: 255 MiB of room are left.")),
        )
        .fails("media-type", "No form of an event has this Content-Type, or its data is not JSON.", &fault(no_form()));
    ATTRIBUTES.iter().map(Attribute::header).chain(trace()).fold(description, Description::parameter)
}

fn trace() -> impl Iterator<Item = Parameter> {
    const OF: &str = "The request's trace, for events that have none of their own (W3C Trace Context); a malformed \
                      one is ignored.";
    let any = || ObjectBuilder::new().schema_type(Type::String);
    ["traceparent", "tracestate"].into_iter().map(move |name| header(name, OF, any()))
}

fn plain() -> Value {
    json!({"type": "301", "data": {"user": {"id": "42"}}})
}

fn cloud_event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "e-1",
        "source": "/crm",
        "type": "301",
        "time": "2018-01-23T04:56:22.123456Z",
        "audience": "1001",
        "data": {"user": {"id": "42"}},
    })
}

fn receipt() -> Value {
    json!({
        "id": "0198f0c2-7c1e-7a32-9f6b-000000040000",
        "duplicate": false,
        "matched": 3,
        "notifications": {"poll": 1, "webhook": 1, "email": 1},
        "expires": "2018-01-23T10:56:22.123Z",
    })
}

fn invalid() -> Problems {
    let mut problems = Problems::default();
    problems.invalid("/type".to_owned(), "is required");
    problems
}
