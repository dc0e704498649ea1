//! A customer's preferences (contracts/trigger.md).

use std::collections::BTreeMap;

use super::notification::EndpointKind;

/// A customer, as far as it is not a subscription's endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What the customer is found by: name of the key and value.
    pub keys: BTreeMap<String, String>,
    /// In order: the first that has an address is used.
    pub channels: Vec<EndpointKind>,
    /// The language that mail is in, a BCP 47 tag; `None`: the default one.
    pub locale: Option<String>,
    /// An IANA time zone; `None`: that of `[events]`.
    pub time_zone: Option<String>,
    /// When the customer may be told, in that zone; `None`: at all hours.
    pub hours: Option<Hours>,
}

/// Hours of a day, from one minute to before another; over midnight where the second is not after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Minutes since midnight, 0 to 1439.
    pub from: u16,
    /// Minutes since midnight, 0 to 1440.
    pub to: u16,
}
