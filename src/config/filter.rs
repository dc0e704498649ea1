//! The filter of a declared subscription.

/// What negates in a filter.
pub(super) const NOT: &str = "__not__";
