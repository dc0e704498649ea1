//! Changes of the subscription set, and secrets: each in a transaction of its own.

use std::collections::HashSet;
use std::sync::Arc;

use redb::{ReadableTable, Table, WriteTransaction};

use super::endpoint::EndpointMemory;
use super::memory::Memory;
use super::record::{self, EndpointRow, Meta};
use super::subscription_row;
use super::tables::{ENDPOINTS, SECRETS, STANDINGS, SUBSCRIPTIONS, SUPPRESSED};
use super::target_row::{seal_secrets, secrets_name};
use super::writer::Writer;
use super::{Options, erase, page, storage};
use crate::base::clock::Timestamp;
use crate::model::id::{EndpointNumber, SubscriptionId};
use crate::model::notification::{EndpointKind, State};
use crate::model::subscription::{Endpoint, Hold, Intake, Subscription, SubscriptionDraft, SubscriptionSet};
use crate::model::target::Target;
use crate::store::{StoreError, SubscribeError, SubscriptionChange};

/// Makes `changes`, all or none; answers the subscriptions that were created or updated.
pub(super) fn run(
    writer: &mut Writer,
    changes: Vec<SubscriptionChange>,
) -> Result<Vec<Arc<Subscription>>, SubscribeError> {
    let (mut set, changes) = {
        let memory = writer.shared.memory.read();
        let is_meant = |change: &SubscriptionChange| !matches!(change, SubscriptionChange::RemoveDrained(id) if !is_drained(id, &memory));
        (SubscriptionSet::clone(&memory.subscriptions), changes.into_iter().filter(is_meant).collect::<Vec<_>>())
    };
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut refused = None;
    let mut plan = Plan::default();
    let options = writer.shared.options.clone();
    let result = writer.transaction("subscriptions", false, |write, meta, now| {
        for change in changes {
            if let Err(error) = plan.add(change, &mut set, meta, now) {
                let detail = error.to_string();
                refused = Some(error);
                // Drops the transaction; the text is not shown.
                return Err(StoreError::Corrupt { detail });
            }
        }
        plan.write(write, &set, meta, now, &options)
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    let meta = result?;
    apply(writer, set, &plan, Timestamp::from_millis(meta.ledger_time));
    Ok(plan.answered)
}

/// Whether the subscription takes in nothing more, and nothing of it is left that has not ended.
fn is_drained(id: &SubscriptionId, memory: &Memory) -> bool {
    let Some(subscription) = memory.subscriptions.get(id.as_str()) else { return false };
    let is_empty = |endpoint: &Endpoint| memory.endpoints.get(&endpoint.number.0).is_none_or(|of| of.entries() == 0);
    subscription.intake == Intake::Draining && subscription.endpoints.iter().all(is_empty)
}

/// What the changes come to.
#[derive(Default)]
struct Plan {
    answered: Vec<Arc<Subscription>>,
    /// Rows to write, and to take away.
    kept: Vec<Arc<Subscription>>,
    removed: Vec<SubscriptionId>,
    /// Endpoints that come, and that go; with the subscription.
    new_endpoints: Vec<(SubscriptionId, Endpoint)>,
    gone_endpoints: Vec<(SubscriptionId, Endpoint)>,
    /// Those subscriptions of which what waits has failed, and is not cancelled.
    failed: HashSet<SubscriptionId>,
    /// Those of which all is erased, and the endpoints that they ever had.
    erased: HashSet<SubscriptionId>,
    erasing: Vec<u32>,
}

impl Plan {
    fn add(
        &mut self,
        change: SubscriptionChange,
        set: &mut SubscriptionSet,
        meta: &mut Meta,
        now: Timestamp,
    ) -> Result<(), SubscribeError> {
        match change {
            SubscriptionChange::Create(draft) => self.create(draft, set, meta, now),
            SubscriptionChange::Update(draft) => {
                let old = existing(set, &draft.id)?;
                let new = Arc::new(self.update(&old, draft, meta, now));
                self.answered.push(Arc::clone(&new));
                self.keep(new, set);
                Ok(())
            }
            SubscriptionChange::Drain(id) => {
                let old = existing(set, &id)?;
                self.keep(Arc::new(Subscription { intake: Intake::Draining, ..Subscription::clone(&old) }), set);
                Ok(())
            }
            SubscriptionChange::End(id) => {
                let old = existing(set, &id)?;
                if old.intake == Intake::Open {
                    let ended =
                        Subscription { intake: Intake::Ended, ended_at: Some(now), ..Subscription::clone(&old) };
                    self.keep(Arc::new(ended), set);
                }
                Ok(())
            }
            SubscriptionChange::Hold(id, reason) => {
                let old = existing(set, &id)?;
                if old.holds.iter().all(|hold| hold.reason != reason) {
                    let mut held = Subscription::clone(&old);
                    held.holds.push(Hold { reason, since: now });
                    held.holds.sort_unstable_by_key(|hold| hold.reason);
                    self.keep(Arc::new(held), set);
                }
                Ok(())
            }
            SubscriptionChange::Release(id, reason) => {
                let old = existing(set, &id)?;
                let mut released = Subscription::clone(&old);
                released.holds.retain(|hold| hold.reason != reason);
                if released.holds.len() < old.holds.len() {
                    self.keep(Arc::new(released), set);
                }
                Ok(())
            }
            SubscriptionChange::Erase(id) => {
                self.erased.insert(id.clone());
                self.remove(id, set)
            }
            SubscriptionChange::Fail(id) => {
                self.failed.insert(id.clone());
                self.remove(id, set)
            }
            // That there is nothing in it has been looked at.
            SubscriptionChange::Remove(id) | SubscriptionChange::RemoveDrained(id) => self.remove(id, set),
        }
    }

    fn remove(&mut self, id: SubscriptionId, set: &mut SubscriptionSet) -> Result<(), SubscribeError> {
        let Some(old) = set.remove(&id) else { return Err(SubscribeError::Missing(id)) };
        self.gone_endpoints.extend(old.endpoints.iter().map(|endpoint| (id.clone(), endpoint.clone())));
        self.removed.push(id);
        Ok(())
    }

    fn create(
        &mut self,
        mut draft: SubscriptionDraft,
        set: &mut SubscriptionSet,
        meta: &mut Meta,
        now: Timestamp,
    ) -> Result<(), SubscribeError> {
        if set.get(draft.id.as_str()).is_some() {
            return Err(SubscribeError::Exists(draft.id));
        }
        let targets = std::mem::take(&mut draft.endpoints);
        let endpoints = targets.into_iter().map(|target| self.new_endpoint(&draft.id, target, meta)).collect();
        let subscription = Arc::new(draft.into_subscription(now, endpoints));
        self.answered.push(Arc::clone(&subscription));
        self.keep(subscription, set);
        Ok(())
    }

    fn new_endpoint(&mut self, subscription: &SubscriptionId, target: Target, meta: &mut Meta) -> Endpoint {
        let endpoint = Endpoint { number: EndpointNumber(meta.next_endpoint), target };
        meta.next_endpoint += 1;
        self.new_endpoints.push((subscription.clone(), endpoint.clone()));
        endpoint
    }

    /// The subscription as declared now. Endpoints that are there still keep their numbers, and with them their queues.
    fn update(
        &mut self,
        old: &Subscription,
        mut draft: SubscriptionDraft,
        meta: &mut Meta,
        now: Timestamp,
    ) -> Subscription {
        let targets = std::mem::take(&mut draft.endpoints);
        let mut left = old.endpoints.clone();
        // Those that are as they were first: of several webhooks none takes the place of another.
        let mut numbers: Vec<_> = targets.iter().map(|target| take(&mut left, |old| old == target)).collect();
        for (number, target) in numbers.iter_mut().zip(&targets) {
            *number = number.or_else(|| take(&mut left, |old| old.is_endpoint_of(target)));
        }
        let endpoints = targets.into_iter().zip(numbers).map(|(target, number)| match number {
            Some(number) => Endpoint { number, target },
            None => self.new_endpoint(&draft.id, target, meta),
        });
        let endpoints = endpoints.collect();
        self.gone_endpoints.extend(left.into_iter().map(|endpoint| (draft.id.clone(), endpoint)));
        let (created_at, holds) = (old.created_at, old.holds.clone());
        Subscription { created_at, holds, ..draft.into_subscription(now, endpoints) }
    }

    fn keep(&mut self, subscription: Arc<Subscription>, set: &mut SubscriptionSet) {
        set.insert(Arc::clone(&subscription));
        self.kept.push(subscription);
    }

    fn write(
        &mut self,
        write: &WriteTransaction,
        set: &SubscriptionSet,
        meta: &Meta,
        now: Timestamp,
        options: &Options,
    ) -> Result<(), StoreError> {
        let mut subscriptions = write.open_table(SUBSCRIPTIONS).map_err(storage)?;
        let mut endpoints = write.open_table(ENDPOINTS).map_err(storage)?;
        let mut secrets = write.open_table(SECRETS).map_err(storage)?;
        let mut standings = write.open_table(STANDINGS).map_err(storage)?;
        // The last change of an id decides what is there, so what goes goes first.
        for id in &self.removed {
            subscriptions.remove(id.as_str()).map_err(storage)?;
        }
        for subscription in self.kept.iter().filter(|s| set.get(s.id.as_str()).is_some_and(|last| Arc::ptr_eq(s, last)))
        {
            let row = subscription_row::encode(subscription);
            subscriptions.insert(subscription.id.as_str(), row.as_slice()).map_err(storage)?;
            for endpoint in &subscription.endpoints {
                keep_secrets(endpoint, &mut secrets, options)?;
            }
        }
        let gone = |of: &SubscriptionId| Some((meta.next_position, now.as_millis(), self.failed.contains(of)));
        let new = self.new_endpoints.iter().map(|of| (of, None));
        for ((subscription, endpoint), removed) in new.chain(self.gone_endpoints.iter().map(|of| (of, gone(&of.0)))) {
            let row = EndpointRow {
                subscription: subscription.as_str().to_owned(),
                kind: record::kind_to_byte(endpoint.kind()),
                removed,
            };
            endpoints.insert(endpoint.number.0, row.encode().as_slice()).map_err(storage)?;
            if removed.is_some() {
                secrets.remove(secrets_name(endpoint.number.0).as_str()).map_err(storage)?;
                standings.remove(endpoint.number.0).map_err(storage)?;
            }
        }
        drop(endpoints);
        if !self.erased.is_empty() {
            self.forget_suppressions(write, set)?;
            self.erasing = erase::begin(write, &self.erased)?;
        }
        Ok(())
    }

    /// Forgets of the addresses that are erased, and that nobody else has, that they are not mailed to.
    fn forget_suppressions(&self, write: &WriteTransaction, set: &SubscriptionSet) -> Result<(), StoreError> {
        let mut suppressed = write.open_table(SUPPRESSED).map_err(storage)?;
        let is_left = |address: &str| {
            let targets = set.iter().flat_map(|subscription| &subscription.endpoints).map(|endpoint| &endpoint.target);
            targets.filter_map(address_of).any(|other| other == address)
        };
        let gone = self.gone_endpoints.iter().filter(|(id, _)| self.erased.contains(id));
        for address in gone.filter_map(|(_, endpoint)| address_of(&endpoint.target)).filter(|a| !is_left(a)) {
            suppressed.remove(address).map_err(storage)?;
        }
        Ok(())
    }
}

const fn address_of(target: &Target) -> Option<&str> {
    match target {
        Target::Email(email) => Some(email.address.as_str()),
        Target::Poll | Target::Webhook(_) => None,
    }
}

/// Seals the secrets that the endpoint's requests are signed with.
fn keep_secrets(
    endpoint: &Endpoint,
    table: &mut Table<'_, &'static str, &'static [u8]>,
    options: &Options,
) -> Result<(), StoreError> {
    if endpoint.kind() != EndpointKind::Webhook {
        return Ok(());
    }
    let name = secrets_name(endpoint.number.0);
    match seal_secrets(endpoint, &options.seal, &*options.random) {
        Some(sealed) => table.insert(name.as_str(), sealed.as_slice()).map(drop),
        None => table.remove(name.as_str()).map(drop),
    }
    .map_err(storage)
}

/// Takes the first endpoint out whose target is so.
fn take(endpoints: &mut Vec<Endpoint>, is_it: impl Fn(&Target) -> bool) -> Option<EndpointNumber> {
    let at = endpoints.iter().position(|endpoint| is_it(&endpoint.target))?;
    Some(endpoints.remove(at).number)
}

fn existing(set: &SubscriptionSet, id: &SubscriptionId) -> Result<Arc<Subscription>, SubscribeError> {
    set.get(id.as_str()).cloned().ok_or_else(|| SubscribeError::Missing(id.clone()))
}

fn apply(writer: &Writer, set: SubscriptionSet, plan: &Plan, now: Timestamp) {
    let mut memory = writer.shared.memory.write();
    let mut gone = Vec::new();
    for (subscription, endpoint) in &plan.new_endpoints {
        let new = EndpointMemory::new(subscription.clone(), endpoint.kind());
        memory.endpoints.insert(endpoint.number.0, new);
    }
    for (subscription, endpoint) in &plan.gone_endpoints {
        let ends = if plan.failed.contains(subscription) { State::Failed } else { State::Cancelled };
        gone.extend(memory.remove_endpoint(endpoint.number.0, ends, now));
    }
    memory.erasing.extend(plan.erasing.iter().map(|number| (*number, 0)));
    for subscription in &plan.kept {
        hold(subscription, &mut memory);
        memory.note_receivers(subscription);
    }
    memory.subscriptions = Arc::new(set);
    writer.shared.set_changed.notify_waiters();
    // What waited may be millions: those who wait for memory do not wait for that.
    drop(memory);
    drop(gone);
}

/// Holds the subscription's endpoints, or releases them and wakes who waits: whatever waits in them stays as it is. Of
/// several changes of one subscription the last one holds.
fn hold(subscription: &Subscription, memory: &mut Memory) {
    for endpoint in &subscription.endpoints {
        if let Some(endpoint) = memory.endpoints.get_mut(&endpoint.number.0) {
            endpoint.held = subscription.is_held();
            endpoint.arrival.notify_waiters();
        }
    }
}

/// Keeps a secret, sealed, unless there is one of that name; answers the one that is there then.
pub(super) fn keep_secret(writer: &mut Writer, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let options = writer.shared.options.clone();
    let mut kept = value.to_vec();
    writer.transaction("secret", false, |write, _, _| {
        let mut secrets = write.open_table(SECRETS).map_err(storage)?;
        if let Some(row) = secrets.get(name).map_err(storage)? {
            kept = page::open(&options.seal, name, row.value())?;
            return Ok(());
        }
        let sealed = options.seal.seal(&*options.random, name, value);
        secrets.insert(name, sealed.as_slice()).map_err(storage)?;
        Ok(())
    })?;
    Ok(kept)
}

/// Seals the secret and keeps it in the place of the one of that name.
pub(super) fn replace_secret(writer: &mut Writer, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let options = writer.shared.options.clone();
    writer.transaction("secret", false, |write, _, _| {
        let sealed = options.seal.seal(&*options.random, name, value);
        write.open_table(SECRETS).map_err(storage)?.insert(name, sealed.as_slice()).map_err(storage)?;
        Ok(())
    })?;
    Ok(())
}
