//! Which clients there are, and what they own.
//!
//! A declared client owns what the files say now. A client of an external issuer owns what the token named that made its
//! subscription, cut to what the issuer's entry allows now; a subscription that somebody else made for it, or that the
//! files declare, owns nothing, so that it gets only events without an audience. Who is neither has nothing.
//! The list of a group is the group's, whichever client changed it; what a client made that acts for any subscriber is
//! that subscriber's.

use super::EngineSettings;
use crate::model::holder::is_client;
use crate::model::id::ClientId;
use crate::model::owners::{Owners, may_see};
use crate::model::pattern::Patterns;
use crate::model::subscription::{ContractName, Subscription};

/// What the files say of a client besides what it owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientProfile {
    /// The egress policy of the webhooks that it makes through an API (`egress`); `None`: the built-in default.
    pub egress: Option<String>,
    /// What registrations show as `integratorId`; `None`: its id.
    pub integrator_id: Option<String>,
    /// What registrations show as `integratorType`.
    pub integrator_type: Option<String>,
}

/// The clients of one external issuer.
#[derive(Clone, Debug)]
pub struct ForeignClients {
    /// Their ids.
    pub client_ids: Patterns,
    /// The owners that they may have; `None` for all.
    pub owners: Option<Patterns>,
}

/// The policy of a webhook that names none; it allows nothing, unless it is declared.
const DEFAULT_EGRESS: &str = "default";

impl EngineSettings {
    /// The name of the egress policy of the webhooks that `client` makes through an API.
    #[must_use]
    pub fn egress_of(&self, client: &ClientId) -> &str {
        self.profiles.get(client).and_then(|profile| profile.egress.as_deref()).unwrap_or(DEFAULT_EGRESS)
    }

    /// Whether the files know this client: they declare it, or an issuer's entry stands for it. What stands in the place
    /// of a client never goes.
    #[must_use]
    pub fn knows(&self, client: &ClientId) -> bool {
        !is_client(client) || self.owners.contains_key(client) || self.issuer_of(client).is_some()
    }

    /// The owners that decide what `subscription` may see now.
    pub(super) fn owners_of(&self, subscription: &Subscription) -> Owners {
        if self.is_for_its_holders(subscription) {
            return Owners::new(subscription.holders.iter().cloned());
        }
        if let Some(own) = self.owners.get(&subscription.client_id) {
            return own.clone();
        }
        let issuer = self.issuer_of(&subscription.client_id);
        let allowed = |owner: &&str| issuer.is_some_and(|issuer| issuer.allows(owner));
        let stored = subscription.owners.iter().flat_map(Owners::iter);
        Owners::new(stored.filter(allowed).map(str::to_owned))
    }

    /// Whether an event with this audience may reach `subscription` (design.md, "Nouns").
    pub(super) fn lets_see(&self, subscription: &Subscription, audience: Option<&Owners>) -> bool {
        let Some(audience) = audience else { return true };
        if self.is_for_its_holders(subscription) {
            return subscription.holders.iter().any(|holder| audience.contains(holder));
        }
        if let Some(own) = self.owners.get(&subscription.client_id) {
            return may_see(Some(audience), own);
        }
        let Some(stored) = &subscription.owners else { return false };
        self.issuer_of(&subscription.client_id).is_some_and(|issuer| issuer.share(stored, audience))
    }

    /// Whether it is for its holders alone, and not for whom its client owns: the list of a group, whoever of it changed
    /// that last; and what a declared client made for another subscriber, which it has named as its owner.
    fn is_for_its_holders(&self, subscription: &Subscription) -> bool {
        let Subscription { contract, client_id, holders, owners, .. } = subscription;
        match contract {
            ContractName::Recipients => true,
            ContractName::Registrations => {
                let named = owners.as_ref().is_some_and(|owners| owners.iter().eq(holders.iter()));
                named && self.owners.contains_key(client_id)
            }
            ContractName::Polling | ContractName::Management | ContractName::Trigger => false,
        }
    }

    fn issuer_of(&self, client: &ClientId) -> Option<&ForeignClients> {
        self.foreign.iter().find(|issuer| issuer.client_ids.stand_for(client.as_str()))
    }
}

impl ForeignClients {
    fn allows(&self, owner: &str) -> bool {
        self.owners.as_ref().is_none_or(|bounds| bounds.stand_for(owner))
    }

    /// Whether the two share an owner that the entry allows.
    fn share(&self, stored: &Owners, audience: &Owners) -> bool {
        audience.iter().any(|owner| stored.contains(owner) && self.allows(owner))
    }
}
