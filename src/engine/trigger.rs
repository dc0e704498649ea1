//! Triggering: one event for one customer, by the customer's preferences (contracts/trigger.md).

use jiff::tz::TimeZone;

use super::publish::{Directed, DirectedError, Route};
use super::{Engine, EngineSettings, PublishError, Receipt};
use crate::base::clock::Timestamp;
use crate::model::event::{EventDraft, Identity};
use crate::model::notification::EndpointKind;
use crate::model::owners::Owners;
use crate::model::subscription::{Intake, Subscription, SubscriptionSet};
use crate::store::Repeats;

/// A command to tell a customer something.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// What is told; for whom it is, is not known yet.
    pub draft: EventDraft,
    /// The organisation whose customers the caller finds.
    pub organisation: Option<String>,
    /// By what the customer is found, the first that finds one: names of keys and values.
    pub keys: Vec<(String, String)>,
    /// Whether it is stored where nobody can be told.
    pub accepts_unknown: bool,
    /// What makes a repeat of it.
    pub identity: Identity,
    /// Which repeats there are.
    pub repeats: Repeats,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// The event, or the one before that it repeats.
    pub receipt: Receipt,
    /// Whether there was a customer to tell.
    pub found: bool,
}

/// Why nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TriggerError {
    /// No customer has one of these keys, or the one that has cannot be told of it anywhere.
    #[error("there is no customer with one of these keys that could be told")]
    NoRecipient,
    /// It could not be stored.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Engine {
    /// Stores what is to be told and schedules it for the customer's first channel that has an address, within the
    /// customer's hours; answers once it is on disk. Nothing is stored for a repeat.
    pub async fn trigger(&self, trigger: Trigger) -> Result<Triggered, TriggerError> {
        let settings = self.settings();
        let found = route(&trigger, &self.store.subscriptions(), &settings, self.store.now());
        if found.is_none() && !trigger.accepts_unknown {
            return Err(TriggerError::NoRecipient);
        }
        // For whom it is stands in the event, which is made once: whoever is found by the keys in the transaction has to be
        // the same customer.
        let found = found.map(|(_, customer)| customer);
        let draft =
            EventDraft { audience: found.as_ref().map(|owner| Owners::new([owner.clone()])), ..trigger.draft.clone() };
        let directed = Directed { draft, identity: Some(trigger.identity), repeats: trigger.repeats };
        let receipt = self.publish_to(&directed, |set| match route(&trigger, set, &settings, self.store.now()) {
            Some((route, customer)) if found.as_ref() == Some(&customer) => Ok(vec![route]),
            None if found.is_none() => Ok(Vec::new()),
            _ => Err(PublishError::Unsettled),
        });
        match receipt.await {
            Ok(receipt) => Ok(Triggered { receipt, found: found.is_some() }),
            Err(DirectedError::Route(error) | DirectedError::Publish(error)) => Err(error.into()),
        }
    }
}

/// Where it goes and when, and the owner that it is for.
fn route(
    trigger: &Trigger,
    set: &SubscriptionSet,
    settings: &EngineSettings,
    now: Timestamp,
) -> Option<(Route, String)> {
    let customer = trigger.keys.iter().find_map(|(name, value)| {
        let found = set.customers(trigger.organisation.as_deref(), name, value);
        // The files may give two customers one key.
        found.filter(|customer| customer.intake == Intake::Open).min_by(|a, b| a.id.cmp(&b.id))
    })?;
    let event_type = settings.catalogue.get(trigger.draft.event_type.as_str());
    let may_go = |kind: EndpointKind| event_type.is_none_or(|of| of.may_go_to(kind));
    let kind = channel(customer, may_go)?;
    let is_urgent = event_type.is_some_and(|of| of.urgent);
    let from = if is_urgent { None } else { begin(customer, &settings.delivery.time_zone, now) };
    let route = Route { subscription: customer.id.clone(), kind, from };
    Some((route, customer.id.as_str().to_owned()))
}

/// The first of the customer's channels that has an address.
fn channel(customer: &Subscription, may_go: impl Fn(EndpointKind) -> bool) -> Option<EndpointKind> {
    let channels = customer.profile.iter().flat_map(|profile| &profile.channels).copied();
    let has = |kind: &EndpointKind| customer.endpoints.iter().any(|endpoint| endpoint.kind() == *kind);
    channels.filter(|kind| may_go(*kind)).find(has)
}

/// When the customer's hours begin, where that is not now.
fn begin(customer: &Subscription, default: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let profile = customer.profile.as_ref()?;
    let named = profile.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
    profile.hours?.next(now, named.as_ref().unwrap_or(default))
}
