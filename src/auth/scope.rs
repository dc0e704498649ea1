//! The scopes that this version gives a meaning to.

/// Create and delete subscriptions of the polling contract.
pub const ADMINISTRATOR: &str = "notification:consent:administrator";
/// Read subscriptions and poll.
pub const CONSUMER: &str = "notification:consent:consumer";
/// Publish events.
pub const PUBLISH: &str = "events:publish";
/// Look at everything and act as the operator.
pub const OPERATE: &str = "notifications:operate";
/// Trigger notifications of customers.
pub const TRIGGER: &str = "trigger";
/// Write customers.
pub const CUSTOMERS: &str = "customers:write";

/// Those that a route asks for.
pub const ALL: &[&str] = &[ADMINISTRATOR, CONSUMER, PUBLISH, OPERATE];
