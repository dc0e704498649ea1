//! The document as a contract serves it: at `{mount}/openapi.json`, to anyone.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::StatusCode;

use super::description::Description;
use super::shape::Shape;
use crate::http::contract::{Access, BodyRule, Response, Route, Trace, Verb};

/// The route of a contract's document.
pub(in crate::api) const fn route<Operation: Copy>(operation: Operation) -> Route<Operation> {
    Route {
        method: Verb::Get,
        path: "/openapi.json",
        operation,
        label: "openapi",
        access: Access::Public,
        body: BodyRule::None,
        trace: Trace::None,
    }
}

/// What the document says of itself.
pub(in crate::api) fn describe() -> Description {
    let text = "OpenAPI 3.1, with the URLs of this installation.";
    let example = r#"{"openapi": "3.1.0"}"#;
    Description::new("This document", text).answers(
        "document",
        "The document.",
        Shape::object(),
        &Response::json(StatusCode::OK, example),
    )
}

/// A contract's document, made when it is first asked for.
#[derive(Default)]
pub(in crate::api) struct Served(OnceLock<Bytes>);

impl Served {
    /// The answer with the document; `make` makes it.
    pub(in crate::api) fn answer(&self, make: impl FnOnce() -> String) -> Response {
        let document = self.0.get_or_init(|| Bytes::from(make())).clone();
        Response::json(StatusCode::OK, document)
    }
}
