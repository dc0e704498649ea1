//! Subscriptions that no client made for itself: a group's (contracts/recipients.md) and a customer's
//! (contracts/trigger.md). Their ids follow from whom they are for.
//!
//! They have a slash in them, which no id has that anybody can choose: neither one of the files nor one of an API is
//! taken for one of these.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::id::{ClientId, EventTypeId, SubscriptionId};

/// What stands in a part of an id as it is, besides letters and digits.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The subscription by which `group` is mailed about `event_type`.
#[must_use]
pub fn group_subscription(group: &str, event_type: &EventTypeId) -> SubscriptionId {
    let event_type = utf8_percent_encode(event_type.as_str(), PART);
    SubscriptionId::new(&format!("recipients/{}/{event_type}", utf8_percent_encode(group, PART)))
}

/// Whom the subscriptions of `group` are for in the place of a client.
#[must_use]
pub fn group_client(group: &str) -> ClientId {
    ClientId::new(&format!("group/{group}"))
}

/// The subscription of the customer of `organisation` with this id: each organisation has its own.
#[must_use]
pub fn customer_subscription(organisation: Option<&str>, customer: &str) -> SubscriptionId {
    let organisation = organisation.map(|name| format!("{}/", utf8_percent_encode(name, PART))).unwrap_or_default();
    SubscriptionId::new(&format!("customer/{organisation}{}", utf8_percent_encode(customer, PART)))
}

/// Whether this is the subscription of a customer, who is told what a command says and lists no type.
#[must_use]
pub fn is_customer(id: &SubscriptionId) -> bool {
    id.as_str().starts_with("customer/")
}

/// Whom the subscription of a customer is for in the place of a client, where none polls for the customer.
#[must_use]
pub fn customer_client(customer: &str) -> ClientId {
    ClientId::new(&format!("customer/{customer}"))
}

/// Whether this can be a client, and does not stand in the place of one.
#[must_use]
pub fn is_client(id: &ClientId) -> bool {
    !id.as_str().contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::is_name;

    #[test]
    fn two_groups_and_types_are_two_ids() {
        let id = |group: &str, event_type: &str| group_subscription(group, &event_type.into()).as_str().to_owned();
        assert_eq!(id("acme", "order_confirm"), "recipients/acme/order_confirm");
        assert_ne!(id("a/b", "c"), id("a", "b/c"));
        assert_ne!(id("a%2Fb", "c"), id("a/b", "c"));
        assert_ne!(customer_subscription(Some("a"), "b"), customer_subscription(None, "a/b"));
        assert!(
            is_customer(&customer_subscription(None, "c"))
                && !is_customer(&group_subscription("customer", &"c".into()))
        );
    }

    #[test]
    fn nobody_can_choose_such_an_id() {
        for id in [group_client("acme"), customer_client("c-1")] {
            assert!(!is_client(&id) && !is_name(id.as_str()));
        }
        assert!(!is_name(customer_subscription(None, "c-1").as_str()) && is_client(&"crm".into()));
    }
}
