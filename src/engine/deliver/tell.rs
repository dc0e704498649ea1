//! Who is told of what, and what the log says: one line when something stops being sent to, and one when it is again.

use super::circuit::Change;
use super::lane::Lane;
use super::notice::TargetDown;
use super::rest::{Down, TargetChange};
use crate::model::subscription::HoldReason;

impl Lane {
    /// Tells of how the endpoint stands at the start: who was told before knows it by when it began.
    pub(super) fn tell_present(&self) {
        let standing = self.with(|state| state.circuit.standing().clone());
        let (conditions, name) = (&self.crew.conditions, &self.spec().name);
        match &standing.hold {
            None if standing.recovered.is_none() => {}
            None => conditions.endpoint_recovered(name, &standing),
            Some(hold) if hold.reason == HoldReason::EndpointDisabled => conditions.endpoint_disabled(name, &standing),
            Some(hold) if hold.reason == HoldReason::CircuitOpen && hold.probes == 0 => {}
            Some(_) => conditions.endpoint_held(name, &standing),
        }
    }

    /// Tells of a change, which has been kept. What has changed again since is told by who changed it.
    pub(super) fn tell(&self, change: Change) {
        let standing = self.with(|state| state.circuit.standing().clone());
        if standing.hold.as_ref().map(|hold| hold.reason) != hold_of(change) {
            return;
        }
        let (conditions, spec) = (&self.crew.conditions, self.spec());
        let (name, fault) = (&spec.name, standing.last_fault.as_deref().unwrap_or_default());
        let (subscription, endpoint) = (name.subscription.as_str(), name.place.as_str());
        match change {
            Change::None => {}
            Change::Opened => tracing::warn!(
                subscription,
                endpoint,
                fault,
                failures = standing.failures,
                "an endpoint fails: what is for it is held, and it is tried now and then until it works. Nothing is lost \
                 before its deadline; tidings explain ID shows the attempts of a notification"
            ),
            Change::ProbeFailed => {
                // Further ones are news to nobody.
                if standing.hold.as_ref().is_some_and(|hold| hold.probes == 1) {
                    conditions.endpoint_held(name, &standing);
                }
            }
            Change::Closed => {
                tracing::info!(subscription, endpoint, "an endpoint is sent to again, slowly at first");
                conditions.endpoint_recovered(name, &standing);
            }
            Change::Disabled => {
                tracing::warn!(
                    subscription,
                    endpoint,
                    fault,
                    "an endpoint is gone by its own word: what is for it is held until you say: tidings resume \
                     {subscription}"
                );
                conditions.endpoint_disabled(name, &standing);
            }
            Change::Unable => {
                tracing::warn!(
                    subscription,
                    endpoint,
                    fault,
                    "nothing can be sent to an endpoint: what is for it is held until one of its secrets is valid"
                );
                conditions.endpoint_held(name, &standing);
            }
        }
    }

    /// Tells of what has become of the target.
    pub(super) fn tell_of_target(&self, change: &TargetChange) {
        let spec = self.spec();
        let (kind, target) = (self.kind.as_str(), spec.way.key.as_str());
        match change {
            TargetChange::Fell(down) => tracing::warn!(
                kind,
                target,
                fault = down.fault,
                "what several endpoints go through does not work: all that is for them waits, and it is tried now and then"
            ),
            TargetChange::Stayed(down) => {
                if down.probes == 1 {
                    self.crew.conditions.target_down(&self.about(down));
                }
            }
            TargetChange::Rose(down) => {
                tracing::info!(kind, target, "what several endpoints go through works again");
                self.crew.conditions.target_up(&self.about(down));
            }
        }
    }

    fn about(&self, down: &Down) -> TargetDown {
        let (kind, target) = (self.kind, self.spec().way.key.clone());
        TargetDown { kind, target, since: down.since, fault: down.fault.clone() }
    }
}

/// Why the endpoint is held after this change.
const fn hold_of(change: Change) -> Option<HoldReason> {
    match change {
        Change::None | Change::Closed => None,
        Change::Opened | Change::ProbeFailed => Some(HoldReason::CircuitOpen),
        Change::Disabled => Some(HoldReason::EndpointDisabled),
        Change::Unable => Some(HoldReason::SecretExpired),
    }
}
