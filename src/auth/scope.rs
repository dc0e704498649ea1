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
/// Make registrations.
pub const CREATE_REGISTRATIONS: &str = "create:notification_registrations";
/// List registrations.
pub const VIEW_REGISTRATIONS: &str = "view:notification_registrations";
/// Change registrations.
pub const EDIT_REGISTRATIONS: &str = "edit:notification_registrations";
/// Delete registrations.
pub const DELETE_REGISTRATIONS: &str = "delete:notification_registrations";
/// Have a new secret made for a registration.
pub const ROTATE_REGISTRATION_SECRETS: &str = "create:notification_registrations_secret_rotation";
/// List the notifications of registrations.
pub const VIEW_NOTIFICATIONS: &str = "view:notifications";
/// Retry notifications of registrations.
pub const RETRY_NOTIFICATIONS: &str = "create:notification_retry";
/// Say in which domains webhooks of registrations may be.
pub const WEBHOOK_DOMAINS: &str = "create:webhook_domains";

/// Those that a route asks for.
pub const ALL: &[&str] = &[
    ADMINISTRATOR,
    CONSUMER,
    PUBLISH,
    OPERATE,
    TRIGGER,
    CUSTOMERS,
    CREATE_REGISTRATIONS,
    VIEW_REGISTRATIONS,
    EDIT_REGISTRATIONS,
    DELETE_REGISTRATIONS,
    ROTATE_REGISTRATION_SECRETS,
    VIEW_NOTIFICATIONS,
    RETRY_NOTIFICATIONS,
    WEBHOOK_DOMAINS,
];
