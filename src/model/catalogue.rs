//! The catalogue of event types.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::condition::{Condition, SECRET_EXPIRY};
use super::id::EventTypeId;
use super::notification::{ByKind, EndpointKind};
use super::subscription::ContractName;

/// One declared event type.
#[derive(Clone, Debug)]
pub struct EventType {
    /// Its id.
    pub id: EventTypeId,
    /// The name shown to people; the id where none is declared.
    pub name: String,
    /// The category shown to people; may be empty.
    pub category: String,
    /// The kinds of endpoint that may have it; `None`: all.
    pub channels: Option<Vec<EndpointKind>>,
    /// Where it can be subscribed to; `None`: everywhere. Names of contracts that come later are kept as text.
    pub contracts: Option<Vec<String>>,
    /// How long its notifications live, where it differs from `[events] ttl`.
    pub ttl: ByKind<Option<Duration>>,
    /// Whether an event of it must name its audience.
    pub audience_required: bool,
    /// The kinds of endpoint whose registrations must have it (contracts/registrations.md, `eventTypes`).
    pub mandatory: Vec<EndpointKind>,
    /// What a filter may ask of its events (contracts/management.md, "Create").
    pub attributes: Vec<String>,
    /// Whether a customer is told of it outside the customer's hours too (contracts/trigger.md).
    pub urgent: bool,
}

/// The declared event types, and what holds for those that are not.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Whether undeclared types are refused.
    pub closed: bool,
    /// How long notifications live by default.
    pub ttl: ByKind<Duration>,
    /// Whether every event must name its audience.
    pub audience_required: bool,
    types: HashMap<EventTypeId, EventType>,
}

impl Catalogue {
    /// A catalogue of `types`.
    #[must_use]
    pub fn new(closed: bool, ttl: ByKind<Duration>, audience_required: bool, types: Vec<EventType>) -> Self {
        let types = types.into_iter().map(|t| (t.id.clone(), t)).collect();
        Self { closed, ttl, audience_required, types }
    }

    /// The declared type with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&EventType> {
        self.types.get(id)
    }

    /// All declared types, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &EventType> {
        self.types.values()
    }

    /// The types that say themselves that they are of `contract`, in the order of their ids.
    #[must_use]
    pub fn types_of(&self, contract: ContractName) -> Vec<&EventType> {
        let names = |t: &&EventType| t.contracts.is_some() && t.is_of(contract);
        let mut types: Vec<_> = self.types.values().filter(names).collect();
        types.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        types
    }

    /// Whether events of this type are taken: it is declared, or built in, or the catalogue is open.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        !self.closed || self.types.contains_key(id) || Condition::named(id).is_some()
    }

    /// Whether the type can be subscribed to in `contract` with an endpoint of `kind`.
    #[must_use]
    pub fn is_open_to(&self, id: &str, contract: ContractName, kind: EndpointKind) -> bool {
        if id == SECRET_EXPIRY {
            return contract == ContractName::Registrations && kind == EndpointKind::Webhook;
        }
        match self.types.get(id) {
            None => self.knows(id),
            Some(t) => {
                t.contracts.as_ref().is_none_or(|c| c.iter().any(|c| c == contract.as_str())) && t.may_go_to(kind)
            }
        }
    }

    /// Whether the type can be asked for through `contract` with an endpoint of `kind`: it is open to that, and is declared
    /// or built in. What nobody has declared may be a slip of the pen, even where it may be published.
    #[must_use]
    pub fn offers(&self, id: &str, contract: ContractName, kind: EndpointKind) -> bool {
        (id == SECRET_EXPIRY || self.types.contains_key(id)) && self.is_open_to(id, contract, kind)
    }

    /// The types that every registration with an endpoint of `kind` must have, in order: those that are declared so, and
    /// for webhooks the one that is built in.
    #[must_use]
    pub fn mandatory(&self, kind: EndpointKind) -> Vec<EventTypeId> {
        let is_mandatory = |t: &&EventType| t.mandatory.contains(&kind);
        let declared = self.types.values().filter(is_mandatory).map(|t| t.id.clone());
        let built_in = (kind == EndpointKind::Webhook).then(|| EventTypeId::new(SECRET_EXPIRY));
        let all: BTreeSet<_> = declared.chain(built_in).collect();
        let is_open = |id: &EventTypeId| self.is_open_to(id.as_str(), ContractName::Registrations, kind);
        all.into_iter().filter(is_open).collect()
    }

    /// How long a notification of this type lives at an endpoint of `kind`.
    #[must_use]
    pub fn ttl(&self, id: &str, kind: EndpointKind) -> Duration {
        self.types.get(id).and_then(|t| *t.ttl.get(kind)).unwrap_or(*self.ttl.get(kind))
    }

    /// Whether an event of this type must name its audience.
    #[must_use]
    pub fn requires_audience(&self, id: &str) -> bool {
        self.audience_required || self.types.get(id).is_some_and(|t| t.audience_required)
    }
}

impl EventType {
    /// Whether it is of `contract`: it says so, or says nothing of contracts.
    #[must_use]
    pub fn is_of(&self, contract: ContractName) -> bool {
        self.contracts.as_ref().is_none_or(|c| c.iter().any(|c| c == contract.as_str()))
    }

    /// Whether endpoints of `kind` may have it.
    #[must_use]
    pub fn may_go_to(&self, kind: EndpointKind) -> bool {
        self.channels.as_ref().is_none_or(|c| c.contains(&kind))
    }
}
