//! The schema of a body, with all that it refers to.

use utoipa::ToSchema;
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{Object, Ref, RefOr};

/// A schema as a body refers to it, and the schemas with names that it needs.
#[derive(Clone)]
pub(in crate::api) struct Shape {
    pub(super) schema: RefOr<Schema>,
    pub(super) named: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// The schema of `T`, under its name.
    pub(in crate::api) fn of<T: ToSchema>() -> Self {
        let name = T::name().into_owned();
        let mut named = Vec::new();
        T::schemas(&mut named);
        named.push((name.clone(), T::schema()));
        Self { schema: Ref::from_schema_name(name).into(), named }
    }

    /// Text that is not JSON.
    pub(in crate::api) fn text() -> Self {
        Self { schema: Object::with_type(Type::String).into(), named: Vec::new() }
    }

    /// Any JSON object.
    pub(in crate::api) fn object() -> Self {
        Self { schema: Object::with_type(Type::Object).into(), named: Vec::new() }
    }
}
