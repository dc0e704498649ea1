//! The contract's OpenAPI documents: that of the whole, and that of the operator half alone.

mod document;
mod lease;
mod publish;
mod shapes;

pub use self::document::{document, operator_document};
pub(super) use self::shapes::CloudEvent;
