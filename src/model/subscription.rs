//! A subscription: who wants which event types.

use super::filter::Filter;
use super::id::{ClientId, EndpointNumber, EventTypeId, SubscriptionId};
use super::notification::EndpointKind;
use super::owners::Owners;
use super::profile::Profile;
pub use super::subscription_set::{SetVersion, SubscriptionSet};
use super::target::Target;
use crate::base::clock::Timestamp;

/// The contract that a subscription belongs to: it is not visible through another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContractName {
    /// contracts/polling.md
    Polling,
    /// contracts/registrations.md
    Registrations,
    /// contracts/management.md
    Management,
    /// contracts/recipients.md: one for each type of a group that has an address.
    Recipients,
    /// contracts/trigger.md: one for each customer, with their [`Profile`].
    Trigger,
}

impl ContractName {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Polling, Self::Registrations, Self::Management, Self::Recipients, Self::Trigger];

    /// Whether its subscriptions are those of the client that they name: held while nobody knows it, and counted among those
    /// that it may have. In the others a client only keeps what a group or a customer has.
    #[must_use]
    pub const fn is_of_its_client(self) -> bool {
        match self {
            Self::Polling | Self::Registrations | Self::Management => true,
            Self::Recipients | Self::Trigger => false,
        }
    }

    /// The name in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Registrations => "registrations",
            Self::Management => "management",
            Self::Recipients => "recipients",
            Self::Trigger => "trigger",
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
    /// No: its time is over ([`Subscription::expires_at`]); what waits is still handed out or expires, and it can be read
    /// for a while.
    Ended,
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
    /// Of one notification: it is outside its customer's hours.
    OutsideHours,
}

impl HoldReason {
    /// All of them, those of a whole subscription first.
    pub const ALL: [Self; 6] = [
        Self::Paused,
        Self::ClientRemoved,
        Self::CircuitOpen,
        Self::EndpointDisabled,
        Self::SecretExpired,
        Self::OutsideHours,
    ];

    /// The name in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::ClientRemoved => "client-removed",
            Self::CircuitOpen => "circuit-open",
            Self::EndpointDisabled => "endpoint-disabled",
            Self::SecretExpired => "secret-expired",
            Self::OutsideHours => "outside-hours",
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
    /// The types that it wants, each once; not empty but for a customer, who is told what is triggered.
    pub event_types: Vec<EventTypeId>,
    /// Which of their events it wants; `None`: all that it may see.
    pub filter: Option<Filter>,
    /// The first instant at which it takes in nothing more; `None`: it has no end.
    pub expires_at: Option<Timestamp>,
    /// Whom it is for, in the words of its contract: the parties (management), the subscriber (registrations), the group
    /// (recipients); in order, each once. Empty in the others.
    pub holders: Vec<String>,
    /// The organisation that it was made for, where its contract shows one (management).
    pub organisation: Option<String>,
    /// The customer that it is for; of [`ContractName::Trigger`], and of no other.
    pub profile: Option<Profile>,
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

impl SubscriptionDraft {
    /// A subscription of `contract` for `client_id` to these types, made by an API, as yet without anything else.
    #[must_use]
    pub fn new(id: SubscriptionId, contract: ContractName, client_id: ClientId, event_types: Vec<EventTypeId>) -> Self {
        Self {
            id,
            contract,
            created_by: client_id.as_str().to_owned(),
            client_id,
            event_types,
            filter: None,
            expires_at: None,
            holders: Vec::new(),
            organisation: None,
            profile: None,
            origin: Origin::Api,
            owners: None,
            on_remove: OnRemove::default(),
            endpoints: Vec::new(),
        }
    }

    /// The subscription that is made of it at `now`, with these endpoints.
    #[must_use]
    pub fn into_subscription(self, now: Timestamp, endpoints: Vec<Endpoint>) -> Subscription {
        let Self { id, contract, client_id, event_types, filter, expires_at, holders, organisation, profile, .. } =
            self;
        Subscription {
            id,
            contract,
            client_id,
            event_types,
            filter,
            expires_at,
            ended_at: None,
            holders,
            organisation,
            profile,
            created_by: self.created_by,
            created_at: now,
            updated_at: now,
            origin: self.origin,
            intake: Intake::Open,
            owners: self.owners,
            holds: Vec::new(),
            on_remove: self.on_remove,
            endpoints,
        }
    }
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
    /// The types that it wants, each once (see [`SubscriptionDraft::event_types`]).
    pub event_types: Vec<EventTypeId>,
    /// Which of their events it wants; `None`: all that it may see.
    pub filter: Option<Filter>,
    /// The first instant at which it takes in nothing more; `None`: it has no end.
    pub expires_at: Option<Timestamp>,
    /// When its time was found to be over, in ledger time: `Some` once it has [`Intake::Ended`].
    pub ended_at: Option<Timestamp>,
    /// Whom it is for (see [`SubscriptionDraft::holders`]).
    pub holders: Vec<String>,
    /// The organisation that it was made for (see [`SubscriptionDraft::organisation`]).
    pub organisation: Option<String>,
    /// The customer that it is for (see [`SubscriptionDraft::profile`]).
    pub profile: Option<Profile>,
    /// Who made it.
    pub created_by: String,
    /// When it was made, in ledger time.
    pub created_at: Timestamp,
    /// When what it is made of was last changed, in ledger time; a hold changes nothing of that.
    pub updated_at: Timestamp,
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
    /// Whether events of its types go to it at `now`: its end has not passed, whether or not that has been noted, and it is
    /// not a customer, who is told what is triggered.
    #[must_use]
    pub fn takes_by_type(&self, now: Timestamp) -> bool {
        self.contract != ContractName::Trigger && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether nothing of it is handed out for now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The draft that would make it again: what an update begins with.
    #[must_use]
    pub fn to_draft(&self) -> SubscriptionDraft {
        let Self { id, contract, client_id, event_types, filter, expires_at, holders, organisation, profile, .. } =
            self;
        SubscriptionDraft {
            id: id.clone(),
            contract: *contract,
            client_id: client_id.clone(),
            event_types: event_types.clone(),
            filter: filter.clone(),
            expires_at: *expires_at,
            holders: holders.clone(),
            organisation: organisation.clone(),
            profile: profile.clone(),
            created_by: self.created_by.clone(),
            origin: self.origin,
            owners: self.owners.clone(),
            on_remove: self.on_remove,
            endpoints: self.endpoints.iter().map(|endpoint| endpoint.target.clone()).collect(),
        }
    }

    /// The queue that a client polls, where it has one.
    #[must_use]
    pub fn poll_endpoint(&self) -> Option<EndpointNumber> {
        self.endpoints.iter().find(|e| e.kind() == EndpointKind::Poll).map(|e| e.number)
    }
}
