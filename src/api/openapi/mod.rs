//! OpenAPI 3.1 documents: one for each contract, from its route table, its wire types and what it really answers.
//!
//! A contract gives its routes, a [`Description`] of each of its operations (by an exhaustive `match`, so that a new
//! operation breaks the build until it is described) and what it answers to a refusal of the server. The rest follows:
//! - paths, methods and operation ids from the route; the security and its refusals from the route's access;
//! - statuses, media types, headers and examples of errors from answers that the contract's own code makes;
//! - schemas from the wire types, or from shapes that stand beside the code that writes their bytes.
//!
//! The shipped documents lie under `config/openapi/`; a test compares them with what is generated. Tests hold every
//! answer that they see against the documents. An object without `additionalProperties` may have further members in a
//! later release; the tests let it have none.

mod description;
mod document;
mod headers;
mod refusals;
mod security;
mod served;
mod shape;

pub(super) use self::description::{Description, header, path, query};
pub(super) use self::document::Outline;
pub(super) use self::served::{Served, describe, route};
pub(super) use self::shape::Shape;
