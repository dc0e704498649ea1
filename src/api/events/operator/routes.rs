//! The table of the operator's routes.

use crate::auth::scope;
use crate::http::contract::{Access, BodyRule, Route, Trace, Verb};

/// What an operator can do.
#[derive(Clone, Copy, Debug)]
pub(in crate::api::events) enum Operation {
    List,
    Story,
    Retry,
    Cancel,
    CancelAll,
    ReplayAll,
    Event,
    Subscriptions,
    Subscription,
    Pause,
    Resume,
    Delete,
    Purge,
}

/// The routes of operators.
pub(in crate::api::events) const ROUTES: [Route<Operation>; 13] = [
    look("/notifications", Operation::List, "notifications"),
    look("/notifications/{id}", Operation::Story, "story"),
    act("/notifications/{id}/retry", Operation::Retry, "retry", "notification.retry"),
    act("/notifications/{id}/cancel", Operation::Cancel, "cancel", "notification.cancel"),
    act("/notifications/cancellations", Operation::CancelAll, "cancellations", "notifications.cancel"),
    act("/notifications/replays", Operation::ReplayAll, "replays", "notifications.replay"),
    look("/events/{id}", Operation::Event, "event"),
    look("/subscriptions", Operation::Subscriptions, "subscriptions"),
    look("/subscriptions/{id}", Operation::Subscription, "subscription"),
    act("/subscriptions/{id}/pause", Operation::Pause, "pause", "subscription.pause"),
    act("/subscriptions/{id}/resume", Operation::Resume, "resume", "subscription.resume"),
    Route {
        method: Verb::Delete,
        ..act("/subscriptions/{id}", Operation::Delete, "delete_subscription", "subscription.delete")
    },
    // Beyond the contract: `tidings purge --client` (design.md, "Command line").
    act("/clients/{id}/purge", Operation::Purge, "purge", "client.purge"),
];

/// A route that shows something.
pub(super) const fn look<O>(path: &'static str, operation: O, label: &'static str) -> Route<O> {
    Route {
        method: Verb::Get,
        path,
        operation,
        label,
        access: Access::Scope(scope::OPERATE),
        body: BodyRule::None,
        trace: Trace::None,
    }
}

/// A route that changes something, which the audit trail calls `change`.
pub(super) const fn act<O>(path: &'static str, operation: O, label: &'static str, change: &'static str) -> Route<O> {
    Route {
        method: Verb::Post,
        path,
        operation,
        label,
        access: Access::Scope(scope::OPERATE),
        body: BodyRule::Ordinary,
        trace: Trace::Change(change),
    }
}
