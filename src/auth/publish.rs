//! What a client or key may publish: `publish = { types, sources, audience }`.

/// The bounds of what may be published. An empty list bounds nothing; an entry that ends in `*` stands for every text
/// that begins with what is before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishBounds {
    /// Event types.
    pub types: Vec<String>,
    /// Sources.
    pub sources: Vec<String>,
    /// Owners that an event may be addressed to; where there are any, an event must be addressed.
    pub audience: Vec<String>,
}
