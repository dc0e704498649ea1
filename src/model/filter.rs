//! Which events of its types a subscription wants (contracts/management.md, "Create").

use std::collections::BTreeMap;

/// What an event has to be like. All of it has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether it has to be addressed: its audience names a holder of the subscription (`target` = `my`).
    pub mine: bool,
    /// One of these has to hold; with none of them every event does.
    pub any: Vec<Clause>,
}

/// A condition on the attributes of an event. All members have to be what is said, and not all of `not`, where there are
/// any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clause {
    /// Attribute and value, compared as text.
    pub all: BTreeMap<String, String>,
    /// Their conjunction must not hold; `None` where nothing is said.
    pub not: Option<BTreeMap<String, String>>,
}
