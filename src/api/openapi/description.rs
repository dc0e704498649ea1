//! What a contract says of one of its operations besides its route.

use hyper::StatusCode;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Object, Required};

use super::shape::Shape;
use crate::http::contract::Response;

/// What a contract says of one of its operations besides its route.
pub(in crate::api) struct Description {
    pub(super) summary: &'static str,
    pub(super) text: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) client_authenticates: bool,
}

/// The body of a request, in one or more media types.
pub(super) struct Body {
    builder: RequestBodyBuilder,
    shapes: Vec<Shape>,
}

/// One way in which a call can end.
#[derive(Clone)]
pub(super) struct Outcome {
    /// The name of its example.
    pub(super) name: &'static str,
    /// When it comes, in a sentence.
    pub(super) when: String,
    /// An answer that says it: its status, media type and the names of its headers count, its body is the example.
    pub(super) response: Sample,
    /// The schema of its body; `None` for an error, whose schema is the contract's.
    pub(super) shape: Option<Shape>,
    /// Whether other operations have it too, so that its example is shown once for all.
    pub(super) shared: bool,
}

/// What a document needs of a [`Response`].
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) status: u16,
    /// The names of its headers in lower case, without `content-type`.
    pub(super) headers: Vec<String>,
    /// Its media type and its body; `None` if it has none.
    pub(super) body: Option<(String, Value)>,
}

impl Description {
    /// An operation with a title and a text in Markdown.
    pub(in crate::api) fn new(summary: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { summary, text, parameters: Vec::new(), body: None, outcomes: Vec::new(), client_authenticates: false }
    }

    /// It has this parameter. Those of the path have to be described too.
    #[must_use]
    pub(in crate::api) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// It needs a body, which may be of this media type and shape; `examples` have names.
    #[must_use]
    pub(in crate::api) fn takes(mut self, media_type: &str, shape: Shape, examples: &[(&str, Value)]) -> Self {
        let examples = examples.iter().map(|(name, value)| {
            let example = ExampleBuilder::new().value(Some(value.clone())).build();
            (*name, example)
        });
        let content = ContentBuilder::new().schema(Some(shape.schema.clone())).examples_from_iter(examples).build();
        let Body { builder, mut shapes } = self.body.take().unwrap_or_else(Body::required);
        shapes.push(shape);
        self.body = Some(Body { builder: builder.content(media_type, content), shapes });
        self
    }

    /// It can end well, without a body.
    #[must_use]
    pub(in crate::api) fn ends(self, when: &str, status: StatusCode) -> Self {
        let response = Sample::of(&Response::empty(status));
        self.outcome(Outcome { name: "", when: when.to_owned(), response, shape: None, shared: false })
    }

    /// It can end well, without a body, but with the headers of this answer.
    #[must_use]
    pub(in crate::api) fn answered(self, when: &str, response: &Response) -> Self {
        let response = Sample::of(response);
        self.outcome(Outcome { name: "", when: when.to_owned(), response, shape: None, shared: false })
    }

    /// It can end well, with a body of this shape.
    #[must_use]
    pub(in crate::api) fn answers(self, name: &'static str, when: &str, shape: Shape, response: &Response) -> Self {
        self.outcome(Outcome {
            name,
            when: when.to_owned(),
            response: Sample::of(response),
            shape: Some(shape),
            shared: false,
        })
    }

    /// It can end badly, with a body of the contract's error schema.
    #[must_use]
    pub(in crate::api) fn fails(self, name: &'static str, when: &str, response: &Response) -> Self {
        self.outcome(Outcome {
            name,
            when: when.to_owned(),
            response: Sample::of(response),
            shape: None,
            shared: false,
        })
    }

    /// It takes a body of this media type and shape, or none.
    #[must_use]
    pub(in crate::api) fn may_take(mut self, media_type: &str, shape: Shape, examples: &[(&str, Value)]) -> Self {
        self = self.takes(media_type, shape, examples);
        self.body = self.body.map(|Body { builder, shapes }| Body { builder: builder.required(None), shapes });
        self
    }

    /// The client shows who it is by HTTP Basic or in the body (RFC 6749, 2.3.1).
    #[must_use]
    pub(in crate::api) fn client_authenticates(mut self) -> Self {
        self.client_authenticates = true;
        self
    }

    fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcomes.push(outcome);
        self
    }
}

impl Body {
    fn required() -> Self {
        Self { builder: RequestBodyBuilder::new().required(Some(Required::True)), shapes: Vec::new() }
    }

    pub(super) fn into_parts(self) -> (RequestBody, Vec<Shape>) {
        (self.builder.build(), self.shapes)
    }
}

impl Sample {
    pub(super) fn of(response: &Response) -> Self {
        let media_type = response.headers.get("content-type").and_then(|value| value.to_str().ok());
        let names = response.headers.keys().map(|name| name.as_str().to_owned());
        Self {
            status: response.status.as_u16(),
            headers: names.filter(|name| name != "content-type").collect(),
            body: media_type.map(|media_type| (essence(media_type), example(&response.body))),
        }
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_owned()
}

/// A body as an example shows it: JSON as it is, all else as text.
fn example(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

/// A parameter of the path; `example` shows one.
pub(in crate::api) fn path(name: &str, text: &str, schema: ObjectBuilder, example: &str) -> Parameter {
    let parameter = parameter(name, ParameterIn::Path, text, schema).required(Required::True);
    parameter.example(Some(example.into())).build()
}

/// A parameter of the query, which may be left out.
pub(in crate::api) fn query(name: &str, text: &str, schema: ObjectBuilder) -> Parameter {
    parameter(name, ParameterIn::Query, text, schema).build()
}

/// A header, which may be left out.
pub(in crate::api) fn header(name: &str, text: &str, schema: ObjectBuilder) -> Parameter {
    parameter(name, ParameterIn::Header, text, schema).build()
}

fn parameter(name: &str, place: ParameterIn, text: &str, schema: ObjectBuilder) -> ParameterBuilder {
    let schema: Object = schema.build();
    ParameterBuilder::new().name(name).parameter_in(place).description(Some(text)).schema(Some(schema))
}
