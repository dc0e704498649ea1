//! What delivery tells of that a person may have to look into: endpoints that are held or disabled, and targets that
//! are down.
//!
//! It is said as it is found, from the lanes. Who listens decides whether it becomes an event, a mail or nothing
//! ([`Conditions`]); delivery neither waits for that nor depends on it.

use crate::base::clock::Timestamp;
use crate::model::id::{EndpointNumber, SubscriptionId};
use crate::model::notification::EndpointKind;
use crate::store::Standing;

/// The endpoint that something is said of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointName {
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// Its number in the store.
    pub number: EndpointNumber,
    /// How it is served.
    pub kind: EndpointKind,
    /// Where it is, for people ([`crate::model::target::Target::place`]). No secrets.
    pub place: String,
}

/// What several endpoints share (a relay), and that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDown {
    /// How its endpoints are served.
    pub kind: EndpointKind,
    /// The target's key, of [`crate::channel::Shared::target`].
    pub target: String,
    /// Since when, in ledger time.
    pub since: Timestamp,
    /// What the last attempt met with, for people. No secrets.
    pub fault: String,
}

/// Who is told of conditions.
///
/// A call must return at once: what takes time is done elsewhere. The same thing may be said again, as after a restart:
/// a hold with the same `since` is the same hold, and an end without a begin means nothing.
pub trait Conditions: Send + Sync + 'static {
    /// Nothing is sent to an endpoint but probes, and one of these has failed too; `standing.hold` says why and since
    /// when: its circuit is open, or none of its secrets is valid (that is said at once).
    fn endpoint_held(&self, endpoint: &EndpointName, standing: &Standing);

    /// An endpoint said that it is gone: nothing is sent to it until somebody resumes it.
    fn endpoint_disabled(&self, endpoint: &EndpointName, standing: &Standing);

    /// An endpoint is sent to again: it took something, or somebody has resumed it, at `standing.recovered`.
    fn endpoint_recovered(&self, endpoint: &EndpointName, standing: &Standing);

    /// A target has failed, and again when it was probed: all that goes there waits.
    fn target_down(&self, down: &TargetDown);

    /// A target works again, that was down since `down.since`.
    fn target_up(&self, down: &TargetDown);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConditions;

impl Conditions for NoConditions {
    fn endpoint_held(&self, _: &EndpointName, _: &Standing) {}
    fn endpoint_disabled(&self, _: &EndpointName, _: &Standing) {}
    fn endpoint_recovered(&self, _: &EndpointName, _: &Standing) {}
    fn target_down(&self, _: &TargetDown) {}
    fn target_up(&self, _: &TargetDown) {}
}
