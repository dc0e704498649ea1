//! All subscriptions, found by id and by event type: the set that events are matched against.

use std::collections::HashMap;
use std::sync::Arc;

use super::id::{EventTypeId, SubscriptionId};
use super::subscription::{Intake, Subscription};

/// The version of a [`SubscriptionSet`]: it rises with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetVersion(pub u64);

/// All subscriptions, found by id and by event type.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionSet {
    version: SetVersion,
    by_id: HashMap<SubscriptionId, Arc<Subscription>>,
    by_type: HashMap<EventTypeId, Wanting>,
    /// Those with a profile: by the name of a key, and its value.
    by_key: HashMap<String, HashMap<String, Vec<Arc<Subscription>>>>,
}

/// The subscriptions that want events of one type, and where each of them is: thousands may want the same.
#[derive(Clone, Debug, Default)]
struct Wanting {
    subscriptions: Vec<Arc<Subscription>>,
    places: HashMap<SubscriptionId, usize>,
}

impl Wanting {
    fn add(&mut self, subscription: &Arc<Subscription>) {
        self.places.insert(subscription.id.clone(), self.subscriptions.len());
        self.subscriptions.push(Arc::clone(subscription));
    }

    fn remove(&mut self, id: &SubscriptionId) {
        let Some(place) = self.places.remove(id) else { return };
        self.subscriptions.swap_remove(place);
        if let Some(moved) = self.subscriptions.get(place) {
            self.places.insert(moved.id.clone(), place);
        }
    }
}

impl SubscriptionSet {
    /// The version: what was matched against it holds while the store's set has the same.
    #[must_use]
    pub const fn version(&self) -> SetVersion {
        self.version
    }

    /// The subscription with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Subscription>> {
        self.by_id.get(id)
    }

    /// All subscriptions, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.by_id.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The subscriptions that want events of this type and still take some.
    #[must_use]
    pub fn wanting(&self, event_type: &EventTypeId) -> &[Arc<Subscription>] {
        self.by_type.get(event_type).map_or(&[], |wanting| &wanting.subscriptions)
    }

    /// Puts `subscription` in the place of the one with its id, if there is one. Raises the version.
    pub fn insert(&mut self, subscription: Arc<Subscription>) {
        self.remove(&subscription.id.clone());
        if subscription.intake == Intake::Open {
            for event_type in &subscription.event_types {
                self.by_type.entry(event_type.clone()).or_default().add(&subscription);
            }
        }
        for (name, value) in subscription.profile.iter().flat_map(|profile| &profile.keys) {
            let values = self.by_key.entry(name.clone()).or_default();
            values.entry(value.clone()).or_default().push(Arc::clone(&subscription));
        }
        self.by_id.insert(subscription.id.clone(), subscription);
    }

    /// The customers of `organisation` whose key `name` is `value`, in no order.
    pub fn customers<'a>(
        &'a self,
        organisation: Option<&'a str>,
        name: &str,
        value: &str,
    ) -> impl Iterator<Item = &'a Arc<Subscription>> + use<'a> {
        let found = self.by_key.get(name).and_then(|values| values.get(value));
        found.into_iter().flatten().filter(move |customer| customer.organisation.as_deref() == organisation)
    }

    /// Makes this set a later version than `earlier`, where it was read anew: what was matched before is matched again.
    pub fn succeed(&mut self, earlier: SetVersion) {
        self.version.0 = self.version.0.max(earlier.0) + 1;
    }

    /// Takes the subscription with this id out. Raises the version, also if there is none.
    pub fn remove(&mut self, id: &SubscriptionId) -> Option<Arc<Subscription>> {
        self.version.0 += 1;
        let subscription = self.by_id.remove(id)?;
        for event_type in &subscription.event_types {
            if let Some(wanting) = self.by_type.get_mut(event_type) {
                wanting.remove(id);
                if wanting.subscriptions.is_empty() {
                    self.by_type.remove(event_type);
                }
            }
        }
        for (name, value) in subscription.profile.iter().flat_map(|profile| &profile.keys) {
            self.forget_key(name, value, id);
        }
        Some(subscription)
    }

    fn forget_key(&mut self, name: &str, value: &str, id: &SubscriptionId) {
        let Some(values) = self.by_key.get_mut(name) else { return };
        if let Some(customers) = values.get_mut(value) {
            customers.retain(|customer| customer.id != *id);
            if customers.is_empty() {
                values.remove(value);
            }
        }
        if values.is_empty() {
            self.by_key.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Timestamp;
    use crate::model::id::ClientId;
    use crate::model::subscription::{ContractName, OnRemove, Origin};

    fn subscription(id: &str, types: &[&str], intake: Intake) -> Arc<Subscription> {
        Arc::new(Subscription {
            id: SubscriptionId::new(id),
            contract: ContractName::Polling,
            client_id: ClientId::new("crm"),
            event_types: types.iter().map(|&of| of.into()).collect(),
            created_by: "crm".to_owned(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            filter: None,
            expires_at: None,
            ended_at: None,
            holders: Vec::new(),
            organisation: None,
            profile: None,
            origin: Origin::Api,
            intake,
            owners: None,
            holds: Vec::new(),
            on_remove: OnRemove::default(),
            endpoints: Vec::new(),
        })
    }

    fn wanting(set: &SubscriptionSet, event_type: &str) -> Vec<String> {
        let mut ids: Vec<_> = set.wanting(&event_type.into()).iter().map(|s| s.id.to_string()).collect();
        ids.sort();
        ids
    }

    #[test]
    fn whatever_comes_and_goes_each_type_finds_those_that_want_it() {
        let mut set = SubscriptionSet::default();
        for id in ["a", "b", "c", "d"] {
            set.insert(subscription(id, &["1", "2"], Intake::Open));
        }
        set.insert(subscription("b", &["2", "3"], Intake::Open));
        set.insert(subscription("c", &["1"], Intake::Draining));
        assert_eq!((wanting(&set, "1"), wanting(&set, "2")), (ids(&["a", "d"]), ids(&["a", "b", "d"])));
        set.remove(&SubscriptionId::new("a"));
        assert_eq!((wanting(&set, "1"), wanting(&set, "2")), (ids(&["d"]), ids(&["b", "d"])));
        set.insert(subscription("c", &["2"], Intake::Open));
        set.remove(&SubscriptionId::new("d"));
        assert_eq!(
            (wanting(&set, "1"), wanting(&set, "2"), wanting(&set, "3")),
            (ids(&[]), ids(&["b", "c"]), ids(&["b"]))
        );
        assert_eq!((set.len(), set.get("c").unwrap().event_types.len()), (2, 1));
    }

    fn ids(of: &[&str]) -> Vec<String> {
        of.iter().map(|&id| id.to_owned()).collect()
    }
}
