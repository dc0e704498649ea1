//! A notification as the operator sees it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::clock::Timestamp;
use crate::engine::{Looked, NotificationView};

use super::cursor;
use super::openapi::{kind, state};

/// A notification as it stands. What there is nothing to say of is absent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// The id of its event.
    #[schema(format = "uuid")]
    event: String,
    /// The event's type; absent once the event's body has gone.
    #[schema(nullable = false)]
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    /// The id of its subscription; absent once that has been forgotten.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    /// How it is served: `poll`, `webhook` or `email`.
    #[schema(schema_with = kind)]
    kind: &'static str,
    /// `queued`, `leased`, `held`, `delivered`, `consumed`, `failed`, `expired` or `cancelled`.
    #[schema(schema_with = state)]
    state: &'static str,
    /// Why it ended or is held.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When its event was accepted.
    #[schema(format = DateTime)]
    accepted: String,
    /// Until when it may be handed out.
    #[schema(format = DateTime)]
    deadline: String,
    /// When it ended.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// How often it has been leased in this round.
    handouts: u32,
    /// Until when it is leased.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    leased_until: Option<String>,
    /// 1, and one more for each retry or replay.
    #[schema(minimum = 1)]
    round: u32,
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationPage)]
pub(super) struct Page {
    /// The notifications, oldest first.
    notifications: Vec<Notification>,
    /// Where to go on; absent at the end. It may be there though the page is short or empty.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Notification {
    pub(super) fn of(view: &NotificationView) -> Self {
        let NotificationView {
            id,
            event,
            event_type,
            subscription,
            endpoint: _,
            kind,
            state,
            reason,
            accepted,
            deadline,
            ended,
            handouts,
            leased_until,
            round,
            number: _,
        } = view;
        Self {
            id: id.to_string(),
            event: event.to_string(),
            event_type: event_type.as_ref().map(ToString::to_string),
            subscription: subscription.as_ref().map(ToString::to_string),
            kind: kind.as_str(),
            state: state.as_str(),
            reason: reason.clone(),
            accepted: accepted.to_rfc3339_millis(),
            deadline: deadline.to_rfc3339_millis(),
            ended: ended.map(Timestamp::to_rfc3339_millis),
            handouts: *handouts,
            leased_until: leased_until.map(Timestamp::to_rfc3339_millis),
            round: *round,
        }
    }
}

impl Page {
    pub(super) fn of(looked: &Looked) -> Self {
        let Looked { notifications, cursor } = looked;
        Self { notifications: notifications.iter().map(Notification::of).collect(), cursor: cursor.map(cursor::write) }
    }
}
