//! Who in a group is mailed about what: one subscription for each type that has an address.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Engine, StoreError};
use crate::model::address::Address;
use crate::model::holder::{group_client, group_subscription};
use crate::model::id::EventTypeId;
use crate::model::recipients::AllowedRecipients;
use crate::model::subscription::{ContractName, Intake, Origin, Subscription, SubscriptionDraft};
use crate::model::target::{EmailTarget, Role, Target};
use crate::store::{SubscribeError, SubscriptionChange};

/// What a group is mailed about: every type of the contract with its addresses, in the order that they were given in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientTable(pub BTreeMap<EventTypeId, Vec<String>>);

/// Lists of addresses that are to stand in the place of those that there are.
pub type RecipientLists = BTreeMap<EventTypeId, Vec<Address>>;

/// Why the table of a group was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecipientsError {
    /// The configuration declares it.
    #[error("what the group {group} is mailed about is declared in the configuration")]
    Declared {
        /// The entry's group.
        group: String,
    },
    /// Somebody else, the operator, changed it at the same moment.
    #[error("what the group is mailed about was changed by somebody else at the same moment")]
    Unsettled,
    /// The store cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// What `group` is mailed about now.
    #[must_use]
    pub fn recipients(&self, group: &str) -> RecipientTable {
        let subscriptions = self.of_group(group);
        let settings = self.settings();
        let types = settings.catalogue.types_of(ContractName::Recipients);
        let row = |id: &EventTypeId| {
            let listing = subscriptions.iter().filter(|subscription| subscription.event_types.contains(id));
            listing.flat_map(|subscription| addresses(subscription)).collect()
        };
        RecipientTable(types.into_iter().map(|t| (t.id.clone(), row(&t.id))).collect())
    }

    /// Puts the lists that `change` makes of the table as it is in the place of those that there are, all of them or none;
    /// an error of that changes nothing. No other change comes between. What waits for an address that goes is cancelled.
    /// Answers the table as it is then.
    pub async fn set_recipients<E: From<RecipientsError>>(
        &self,
        group: &str,
        by: &str,
        change: impl FnOnce(&RecipientTable) -> Result<RecipientLists, E> + Send,
    ) -> Result<RecipientTable, E> {
        let _one_at_a_time = self.subscribing.lock().await;
        let lists = change(&self.recipients(group))?;
        if self.of_group(group).iter().any(|subscription| subscription.origin == Origin::Configuration) {
            return Err(RecipientsError::Declared { group: group.to_owned() }.into());
        }
        let changes: Vec<_> = lists.into_iter().filter_map(|(id, list)| self.change_of(group, by, id, &list)).collect();
        if !changes.is_empty() {
            self.store.change_subscriptions(changes).await.map_err(|error| match error {
                SubscribeError::Store(error) => RecipientsError::Store(error),
                SubscribeError::Exists(_) | SubscribeError::Missing(_) => RecipientsError::Unsettled,
            })?;
        }
        Ok(self.recipients(group))
    }

    /// Which addresses may be named.
    #[must_use]
    pub fn allowed_recipients(&self) -> AllowedRecipients {
        self.settings.load().delivery.allowed_recipients.clone()
    }

    /// Those by which the group is mailed. What the files no longer name only drains.
    fn of_group(&self, group: &str) -> Vec<Arc<Subscription>> {
        let is_of = |s: &&Arc<Subscription>| {
            s.contract == ContractName::Recipients && s.intake == Intake::Open && s.holders.iter().eq([group])
        };
        self.store.subscriptions().iter().filter(is_of).cloned().collect()
    }

    /// What makes `list` the list of this type; `None` where it is that already.
    fn change_of(
        &self,
        group: &str,
        by: &str,
        event_type: EventTypeId,
        list: &[Address],
    ) -> Option<SubscriptionChange> {
        let id = group_subscription(group, &event_type);
        let stored = self.subscription_in(ContractName::Recipients, id.as_str());
        let open = stored.as_ref().filter(|stored| stored.intake == Intake::Open);
        if list.is_empty() {
            return open.map(|_| SubscriptionChange::Remove(id));
        }
        let is_same =
            |stored: &Subscription| addresses(stored).iter().map(String::as_str).eq(list.iter().map(Address::as_str));
        if open.is_some_and(|open| is_same(open)) {
            return None;
        }
        let draft = SubscriptionDraft {
            holders: vec![group.to_owned()],
            created_by: by.to_owned(),
            endpoints: list.iter().map(endpoint).collect(),
            ..SubscriptionDraft::new(id, ContractName::Recipients, group_client(group), vec![event_type])
        };
        Some(if stored.is_some() { SubscriptionChange::Update(draft) } else { SubscriptionChange::Create(draft) })
    }
}

fn endpoint(address: &Address) -> Target {
    let address = address.as_str().to_owned();
    Target::Email(EmailTarget { address, role: Role::Subscriber, template: None, locale: None })
}

fn addresses(subscription: &Subscription) -> Vec<String> {
    let targets = subscription.endpoints.iter().map(|endpoint| &endpoint.target);
    let address = |target: &Target| match target {
        Target::Email(email) => Some(email.address.clone()),
        Target::Poll | Target::Webhook(_) => None,
    };
    targets.filter_map(address).collect()
}
