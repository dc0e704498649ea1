//! Why an event was matched with a subscription.
//!
//! The ledger keeps what was matched, not why. The reasons are told from the subscription and its owners as they are
//! now, so where they have been changed since there may be none left.

use crate::engine::EngineSettings;
use crate::model::holder::is_customer;
use crate::model::id::{ClientId, SubscriptionId};
use crate::model::owners::Owners;
use crate::model::subscription::Subscription;
use crate::store::Story;

/// Why an event was matched with a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The subscription; `None` where its endpoint has been forgotten.
    pub subscription: Option<SubscriptionId>,
    /// Whether it is that of a customer, whom a command named: neither types nor owners had a say.
    pub named: bool,
    /// The client that it is for; `None` where it is not there any more.
    pub client: Option<ClientId>,
    /// Whether the event's type is among its types now; `None` where it or the event is not there any more, or a command
    /// named it.
    pub type_listed: Option<bool>,
    /// Whom the event is for: `Some(None)` is for everyone, `None` where its body has gone.
    pub audience: Option<Option<Owners>>,
    /// The owners of the subscription now; none where it is not there any more.
    pub owners: Owners,
    /// Those that are in the audience too.
    pub shared: Vec<String>,
}

impl Why {
    pub(super) fn of(story: &Story, subscription: Option<&Subscription>, settings: &EngineSettings) -> Self {
        let owners = subscription.map(|s| settings.owners_of(s)).unwrap_or_default();
        let audience = story.event.as_ref().map(|event| event.draft.audience.clone());
        let for_whom = audience.clone().flatten().unwrap_or_default();
        let shared = for_whom.iter().filter(|&name| owners.iter().any(|own| own == name)).map(str::to_owned).collect();
        let event_type = story.view.event_type.as_ref();
        let named = story.view.subscription.as_ref().is_some_and(is_customer);
        let listing = subscription.filter(|_| !named);
        Self {
            subscription: story.view.subscription.clone(),
            named,
            client: subscription.map(|s| s.client_id.clone()),
            type_listed: listing.zip(event_type).map(|(s, event_type)| s.event_types.contains(event_type)),
            audience,
            owners,
            shared,
        }
    }
}
