//! A subscription: who wants which event types.

use super::id::{ClientId, EndpointNumber, EventTypeId, SubscriptionId};
use super::notification::EndpointKind;
use super::owners::Owners;
pub use super::subscription_set::{SetVersion, SubscriptionSet};
use super::target::Target;
use crate::base::clock::Timestamp;

/// The contract that a subscription belongs to: it is not visible through another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContractName {
    /// contracts/polling.md
    Polling,
}

impl ContractName {
    /// The name in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
        }
    }
}

/// Where a subscription comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A call of an API.
    Api,
    /// The configuration: read-only through the APIs.
    Configuration,
}

/// Whether events are still matched against a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// Yes.
    Open,
    /// No: the files no longer name it; what waits is still handed out or expires.
    Draining,
}

/// What becomes of what waits for a declared subscription when the files do not name it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRemove {
    /// It is still handed out, or expires; nothing new is added.
    #[default]
    Drain,
    /// It has failed.
    Fail,
    /// It is cancelled.
    Drop,
}

impl OnRemove {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Drain, Self::Fail, Self::Drop];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Fail => "fail",
            Self::Drop => "drop",
        }
    }
}

/// Why nothing of a subscription is handed out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldReason {
    /// The operator paused it.
    Paused,
    /// The files no longer name the client that it is for.
    ClientRemoved,
    /// Of one endpoint: it failed again and again, and is tried only now and then.
    CircuitOpen,
    /// Of one endpoint: it said that it is gone for good; somebody has to resume it.
    EndpointDisabled,
    /// Of one endpoint: none of the secrets that its requests are signed with is valid now.
    SecretExpired,
}

impl HoldReason {
    /// All of them, those of a whole subscription first.
    pub const ALL: [Self; 5] =
        [Self::Paused, Self::ClientRemoved, Self::CircuitOpen, Self::EndpointDisabled, Self::SecretExpired];

    /// The name in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::ClientRemoved => "client-removed",
            Self::CircuitOpen => "circuit-open",
            Self::EndpointDisabled => "endpoint-disabled",
            Self::SecretExpired => "secret-expired",
        }
    }
}

/// That a subscription is held, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Since when, in ledger time.
    pub since: Timestamp,
}

/// One endpoint of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its number in the store.
    pub number: EndpointNumber,
    /// Where its notifications go.
    pub target: Target,
}

impl Endpoint {
    /// How it is served.
    #[must_use]
    pub const fn kind(&self) -> EndpointKind {
        self.target.kind()
    }
}

/// What a subscription is made of, before a store has numbered its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionDraft {
    /// Its id.
    pub id: SubscriptionId,
    /// The contract that it belongs to.
    pub contract: ContractName,
    /// The client that it is for.
    pub client_id: ClientId,
    /// The types that it wants; not empty, each once.
    pub event_types: Vec<EventTypeId>,
    /// Who made it: the subject of the creating token, else its client; `configuration` for a declared one.
    pub created_by: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The owners that the creating token of an external issuer named, where it was the client's own; `None` where the
    /// files say what the client owns.
    pub owners: Option<Owners>,
    /// What becomes of what waits when the files do not name it any more; for one that they declare.
    pub on_remove: OnRemove,
    /// One endpoint is made for each; no two are one endpoint ([`Target::is_endpoint_of`]).
    pub endpoints: Vec<Target>,
}

/// Who wants which event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The contract that it belongs to.
    pub contract: ContractName,
    /// The client that it is for: its owners decide what the subscription may see.
    pub client_id: ClientId,
    /// The types that it wants; not empty, each once.
    pub event_types: Vec<EventTypeId>,
    /// Who made it.
    pub created_by: String,
    /// When it was made, in ledger time.
    pub created_at: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether events are still matched against it.
    pub intake: Intake,
    /// The owners that the creating token named (see [`SubscriptionDraft::owners`]).
    pub owners: Option<Owners>,
    /// Why nothing of it is handed out; in order of the reasons, each once.
    pub holds: Vec<Hold>,
    /// What becomes of what waits when the files do not name it any more.
    pub on_remove: OnRemove,
    /// Where its notifications go; never empty.
    pub endpoints: Vec<Endpoint>,
}

impl Subscription {
    /// Whether nothing of it is handed out for now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The queue that a client polls, where it has one.
    #[must_use]
    pub fn poll_endpoint(&self) -> Option<EndpointNumber> {
        self.endpoints.iter().find(|e| e.kind() == EndpointKind::Poll).map(|e| e.number)
    }
}
