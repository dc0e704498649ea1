//! Endpoints that are held or disabled.

use serde_json::{Value, json};

use super::finding::{Finding, Key, Repeat, notifications};
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::notification::EndpointKind;
use crate::model::subscription::{ContractName, Endpoint, HoldReason, Subscription, SubscriptionSet};
use crate::store::{EndpointHold, Standing, Store};

/// The endpoints of `set` that are held or disabled.
pub(super) fn find(store: &dyn Store, set: &SubscriptionSet) -> Vec<Finding> {
    let endpoints = set.iter().flat_map(|subscription| subscription.endpoints.iter().map(move |of| (subscription, of)));
    let sent_to = endpoints.filter(|(_, endpoint)| endpoint.kind() != EndpointKind::Poll);
    sent_to.filter_map(|(subscription, endpoint)| of_endpoint(store, subscription, endpoint)).collect()
}

fn of_endpoint(store: &dyn Store, subscription: &Subscription, endpoint: &Endpoint) -> Option<Finding> {
    let mut standing = store.standing(endpoint.number);
    if subscription.contract == ContractName::Trigger {
        // What a relay says names the address, and what is told stays when the customer is erased.
        standing.last_fault = None;
    }
    let hold = standing.hold.as_ref()?;
    let queue = store.queue(endpoint.number);
    let view = View { subscription, endpoint, standing: &standing, hold, waiting: queue.waiting + queue.held };
    let (condition, detail, what_to_do) = match hold.reason {
        // One fault more may have been enough to open it; that a probe has failed too is worth a person's time.
        HoldReason::CircuitOpen if hold.probes == 0 => return None,
        HoldReason::CircuitOpen => view.failing(),
        HoldReason::SecretExpired => view.unsigned(),
        HoldReason::EndpointDisabled => view.disabled(),
        // These hold subscriptions, by somebody's wish, or single notifications.
        HoldReason::Paused | HoldReason::ClientRemoved | HoldReason::OutsideHours => return None,
    };
    Some(Finding {
        condition,
        key: Key::Endpoint(subscription.id.clone(), endpoint.number),
        since: Some(hold.since),
        repeat: Repeat::Daily,
        detail,
        what_to_do,
        facts: view.facts().map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        mark: None,
    })
}

struct View<'a> {
    subscription: &'a Subscription,
    endpoint: &'a Endpoint,
    standing: &'a Standing,
    hold: &'a EndpointHold,
    waiting: u64,
}

type Told = (Condition, String, String);

impl View<'_> {
    /// For example `the webhook https://10.0.0.7 of the subscription crm-accounts`.
    fn name(&self) -> String {
        let place = self.place();
        let kind = if self.endpoint.kind() == EndpointKind::Email { "address" } else { "webhook" };
        format!("the {kind} {place} of the subscription {}", self.subscription.id)
    }

    /// Where it is; of a customer that is said to nobody.
    fn place(&self) -> String {
        let is_customer = self.subscription.contract == ContractName::Trigger;
        if is_customer { "(a customer's)".to_owned() } else { self.endpoint.target.place() }
    }

    fn waits(&self) -> String {
        let verb = if self.waiting == 1 { "waits" } else { "wait" };
        format!("{} {verb} for it, each until its deadline.", notifications(self.waiting))
    }

    fn failing(&self) -> Told {
        let Standing { failures, failing_since, last_fault, .. } = self.standing;
        let since = failing_since.unwrap_or(self.hold.since).to_rfc3339_seconds();
        let fault = last_fault.as_deref().unwrap_or("no reason is known");
        let detail = format!(
            "Since {since}, {} has not taken what was sent to it. {failures} attempts in a row have failed, the last one so: \
             {fault}. {}",
            self.name(),
            self.waits()
        );
        let id = &self.subscription.id;
        let what_to_do = format!(
            "See whether what is there runs and lets the appliance in. It is tried again and again, and goes on by itself; \
             `tidings subscriptions {id}` shows how it stands, `tidings resume {id}` tries at once."
        );
        (Condition::EndpointHeld, detail, what_to_do)
    }

    fn unsigned(&self) -> Told {
        let detail = format!(
            "Since {}, nothing is sent to {}: none of the secrets that its requests are signed with is valid. {}",
            self.hold.since.to_rfc3339_seconds(),
            self.name(),
            self.waits()
        );
        let what_to_do = "Give it a secret that is valid now, beside the others. It goes on by itself then.";
        (Condition::EndpointHeld, detail, what_to_do.to_owned())
    }

    fn disabled(&self) -> Told {
        let fault = self.standing.last_fault.as_deref().unwrap_or("it is gone");
        let detail = format!(
            "At {}, {} said that it is gone ({fault}). Nothing is sent to it until somebody resumes it. {}",
            self.hold.since.to_rfc3339_seconds(),
            self.name(),
            self.waits()
        );
        let id = &self.subscription.id;
        let what_to_do = format!(
            "If it is there again: `tidings resume {id}`. If it is not coming back, end the subscription, or give it another \
             endpoint."
        );
        (Condition::EndpointDisabled, detail, what_to_do)
    }

    fn facts(&self) -> [(&'static str, Value); 7] {
        let Standing { failures, last_fault, .. } = self.standing;
        [
            ("kind", self.endpoint.kind().as_str().into()),
            ("place", self.place().into()),
            ("reason", self.hold.reason.as_str().into()),
            ("failures", json!(failures)),
            ("fault", json!(last_fault)),
            ("nextProbe", json!(self.hold.probe_at.map(Timestamp::to_rfc3339_millis))),
            ("waiting", json!(self.waiting)),
        ]
    }
}
