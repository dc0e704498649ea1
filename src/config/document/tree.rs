//! What both languages parse into.

use figment::value::Value;

/// A value and the byte that it starts at.
pub(super) struct Parsed {
    pub(super) at: usize,
    pub(super) content: Content,
}

/// A value with all below it.
pub(super) enum Content {
    Table(Vec<Member>),
    Array(Vec<Parsed>),
    Plain(Value),
}

/// A key of a table; none is there twice.
pub(super) struct Member {
    pub(super) key: String,
    /// The byte that the key starts at.
    pub(super) at: usize,
    pub(super) value: Parsed,
}
