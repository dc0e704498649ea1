//! The contract's OpenAPI document.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::TriggerSettings;
use super::b3;
use super::command::Body as Command;
use super::contract::{Operation, ROUTES};
use super::error::{Body as ErrorBody, Error};
use crate::api::openapi::{self, Description, Outline, Shape, header};
use crate::base::intern::intern;
use crate::http::contract::{Response, Route};

/// The document of the contract with these settings; without a public URL it holds wherever it is found.
#[must_use]
pub fn document(settings: &TriggerSettings) -> String {
    // OpenAPI has no path without a slash, so what stands below the server's URL begins with the last part of the mount.
    let (above, last) = settings.mount.rsplit_once('/').unwrap_or_default();
    let below = |route: Route<Operation>| Route { path: intern(&format!("/{last}{}", route.path)), ..route };
    let outline = Outline {
        title: "Trigger notifications",
        text: "An upstream system asks for a customer to be told something: by the customer's preferences, in the \
               customer's language and hours. The answer comes as soon as that is stored; it is sent afterwards.",
        server: format!("{}{above}", settings.public_url),
        public_url: &settings.public_url,
        token_url: String::new(),
        routes: &ROUTES.map(below),
        describe: &describe,
        refuse: &|refusal| Error::from(refusal).response(),
        error: Shape::of::<ErrorBody>(),
    };
    outline.write()
}

fn describe(operation: Operation) -> Description {
    match operation {
        Operation::Notify => notify(),
        Operation::Document => openapi::describe(),
    }
}

/// `parameters`, in all their forms.
pub(super) fn parameters() -> Schema {
    let pair = ObjectBuilder::new().schema_type(Type::Object).required("value");
    let forms = [Object::with_type(Type::String), Object::with_type(Type::Object)].map(Schema::Object);
    let one = forms.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
    let text = "What it says, and to whom: JSON in a text, a plain text, an object, or an array of `{name, value}` or \
                `{key, value}`.";
    Schema::OneOf(one.item(ArrayBuilder::new().items(pair)).description(Some(text)).build())
}

fn notify() -> Description {
    // No patterns: what is malformed is ignored, not refused.
    let any = || ObjectBuilder::new().schema_type(Type::String);
    let trace = HeaderValue::from_static("463ac35c9f6413ad48485a3953bb6124");
    let done = Response::empty(StatusCode::OK).header(HeaderName::from_static(b3::TRACE_ID), trace);
    let invalid = ["type: is missing", "parameters: is missing"].map(str::to_owned);
    let object = json!({"type": "partnerSubscriptionAdded", "parameters": {"customerId": "42", "product": "Movies"}});
    let text = json!({"type": "accountValidate", "parameters": "{\"accountId\": \"42\"}"});
    Description::new(
        "Tell a customer something",
        "The customer is found by the parameters. The same command within the time that the configuration says is a \
         repeat: it is answered alike, and nothing more is sent.",
    )
    .parameter(header(
        "X-B3-TraceId",
        "The trace that the request is part of: 16 or 32 digits (0-9, a-f). A malformed one is ignored.",
        any(),
    ))
    .parameter(header("X-B3-SpanId", "The span that the request is part of: 16 digits.", any()))
    .parameter(header("X-B3-ParentSpanId", "The span above that one: 16 digits.", any()))
    .takes("application/json", Shape::of::<Command>(), &[("an object", object), ("a text", text)])
    .answered("It is stored, and will be sent.", &done)
    .fails("invalid", "The body is not valid.", &Error::Invalid(invalid.to_vec()).response())
    .fails("no-recipient", "No customer is known by these parameters.", &Error::NoRecipient.response())
    .fails("media-type", "The body is not said to be `application/json`.", &Error::MediaType.response())
}
