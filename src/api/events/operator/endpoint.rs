//! An endpoint of a subscription as the operator sees it: where it is, how it is doing, what waits for it.

use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::kind;
use crate::base::clock::Timestamp;
use crate::engine::{EndpointHold, EndpointReport, EndpointView, SharedReport, Standing};
use crate::model::target::{EmailTarget, Ordering, Role, Target, WebhookTarget};

/// An endpoint. What there is nothing to say of is absent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    /// How it is served: `poll`, `webhook` or `email`.
    #[schema(schema_with = kind)]
    kind: &'static str,
    /// Where it is: the URL without its query, or the address.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// Of an address: `subscriber`, or `contact`, who is told of the subscription itself only.
    #[schema(pattern = "^(subscriber|contact)$", nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Of a webhook: the egress policy that it goes by.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// Of a webhook: `relaxed` or `strict`.
    #[schema(pattern = "^(relaxed|strict)$", nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering: Option<&'static str>,
    /// `up`, `probing` (it is held, and is being tried just now), `held`, `paused` (with its subscription), or `disabled`
    /// (it said that it is gone).
    #[schema(pattern = "^(up|probing|held|paused|disabled)$")]
    state: &'static str,
    /// Why it is held for its own sake: `circuit-open`, `endpoint-disabled`, `secret-expired`.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Since when that is so.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// When it is tried next to see whether it is there again.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_probe: Option<String>,
    /// Faults since it last took something.
    failures: u32,
    /// When the first of them was.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    /// What the last fault was.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fault: Option<String>,
    /// When it last took something.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    /// Whether it has just recovered, and is sent to slowly.
    ramping: bool,
    /// Until when it wants nothing, by its own word (`Retry-After`).
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_until: Option<String>,
    /// What it shares with other endpoints (the mail relay), where that does not work.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<Down>,
    /// Notifications that wait to be handed out or sent.
    waiting: u64,
    /// Notifications that wait for a hold to end.
    held: u64,
    /// Notifications that are leased, or are being sent.
    in_flight: u64,
}

/// What several endpoints share, and that does not work.
#[derive(Debug, Serialize, ToSchema)]
struct Down {
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// What the last attempt met with.
    fault: String,
}

impl Endpoint {
    pub(super) fn of(view: &EndpointView) -> Self {
        let EndpointView { report, waiting, held, in_flight } = view;
        let EndpointReport { number: _, target, state, standing, in_flight: _, ramping, quiet_until, shared } = report;
        let Standing { hold, failures, failing_since, last_fault, last_success, recovered: _ } = standing;
        let hold = hold.as_ref();
        let millis = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339_millis);
        Self {
            kind: target.kind().as_str(),
            target: Some(target.shown()).filter(|shown| !shown.is_empty()),
            role: role(target),
            policy: webhook(target).map(|webhook| webhook.egress.clone()),
            ordering: webhook(target).map(|webhook| ordering(webhook.ordering)),
            state: state.as_str(),
            reason: hold.map(|hold| hold.reason.as_str()),
            since: hold.map(|hold| hold.since.to_rfc3339_millis()),
            next_probe: hold.and_then(|EndpointHold { probe_at, .. }| millis(*probe_at)),
            failures: *failures,
            failing_since: millis(*failing_since),
            last_fault: last_fault.clone(),
            last_success: millis(*last_success),
            ramping: *ramping,
            quiet_until: millis(*quiet_until),
            down: shared.as_ref().and_then(Down::of),
            waiting: *waiting,
            held: *held,
            in_flight: *in_flight,
        }
    }
}

impl Down {
    fn of(shared: &SharedReport) -> Option<Self> {
        let (since, fault) = shared.down.clone()?;
        Some(Self { since: since.to_rfc3339_millis(), fault })
    }
}

const fn webhook(target: &Target) -> Option<&WebhookTarget> {
    match target {
        Target::Webhook(webhook) => Some(webhook),
        Target::Poll | Target::Email(_) => None,
    }
}

const fn role(target: &Target) -> Option<&'static str> {
    match target {
        Target::Email(EmailTarget { role: Role::Subscriber, .. }) => Some("subscriber"),
        Target::Email(EmailTarget { role: Role::Contact, .. }) => Some("contact"),
        Target::Poll | Target::Webhook(_) => None,
    }
}

const fn ordering(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Relaxed => "relaxed",
        Ordering::Strict => "strict",
    }
}
