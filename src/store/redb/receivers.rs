//! Receivers that count what is sent to them (contracts/management.md, "The webhook": `eventId`).
//!
//! A receiver is who holds a subscription (in order), an event's type and a URL. What goes to one rises by exactly one from
//! event to event: a number is given out in the transaction that stores the event, whatever becomes of the notification,
//! and stands in the event's head. Several subscriptions of one receiver share the number of an event.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use redb::ReadableTable;

use super::append::Overlay;
use super::memory::Memory;
use super::record::{Group, Head};
use super::storage;
use super::tables::NUMBERS;
use super::writer::GroupTables;
use crate::base::outbound::Destination;
use crate::base::secret::sha256_fields;
use crate::model::id::EventTypeId;
use crate::model::subscription::Subscription;
use crate::model::target::{Shape, Target};
use crate::store::StoreError;

/// The first half of the SHA-256 of URL, event type and holders.
pub(super) type ReceiverKey = [u8; 16];

/// A receiver, for any type of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    url: String,
    /// In order.
    holders: Vec<String>,
}

impl Receiver {
    fn key(&self, event_type: &EventTypeId) -> ReceiverKey {
        let fields = [self.url.as_str(), event_type.as_str()].into_iter();
        let hash = sha256_fields(fields.chain(self.holders.iter().map(String::as_str)).map(|f| Some(f.as_bytes())));
        let mut key = ReceiverKey::default();
        key.copy_from_slice(&hash[..16]);
        key
    }
}

impl Memory {
    /// Notes which endpoints of a subscription count what is sent to them.
    pub(super) fn note_receivers(&mut self, subscription: &Subscription) {
        for endpoint in &subscription.endpoints {
            let number = endpoint.number.0;
            match &endpoint.target {
                Target::Webhook(webhook)
                    if webhook.shape == Shape::Management && self.endpoints.contains_key(&number) =>
                {
                    let mut holders = subscription.holders.clone();
                    holders.sort_unstable();
                    // However it is spelled, it is one receiver.
                    let to = Destination::parse(&webhook.url);
                    let url = to.map_or_else(|_| webhook.url.clone(), |to| to.whole().to_owned());
                    self.receivers.insert(number, Receiver { url, holders });
                }
                Target::Poll | Target::Webhook(_) | Target::Email(_) => drop(self.receivers.remove(&number)),
            }
        }
    }
}

impl Overlay {
    /// Gives out the numbers of a new event's notifications; they are yet to be kept ([`Self::keep_numbers`]).
    pub(super) fn number(
        &mut self,
        head: &Head,
        event_type: &EventTypeId,
        receivers: &HashMap<u32, Receiver>,
        tables: &GroupTables<'_>,
    ) -> Result<Vec<(u32, u64)>, StoreError> {
        let (mut numbers, mut of_event) = (Vec::new(), HashMap::new());
        for (target, endpoint) in (1..).zip(head.groups.iter().flat_map(Group::endpoints)) {
            let Some(receiver) = receivers.get(&endpoint) else { continue };
            let key = receiver.key(event_type);
            let number = match of_event.entry(key) {
                Entry::Occupied(number) => *number.get(),
                Entry::Vacant(place) => *place.insert(self.next_number(key, tables)?),
            };
            numbers.push((target, number));
        }
        Ok(numbers)
    }

    fn next_number(&mut self, key: ReceiverKey, tables: &GroupTables<'_>) -> Result<u64, StoreError> {
        let last = match self.numbers().entry(key) {
            Entry::Occupied(last) => last.into_mut(),
            Entry::Vacant(place) => {
                let kept =
                    tables.write.open_table(NUMBERS).map_err(storage)?.get(&key).map_err(storage)?.map(|n| n.value());
                place.insert(kept.unwrap_or_default())
            }
        };
        *last += 1;
        Ok(*last)
    }

    /// Keeps what was given out in the same transaction.
    pub(super) fn keep_numbers(&mut self, tables: &GroupTables<'_>) -> Result<(), StoreError> {
        if self.numbers().is_empty() {
            return Ok(());
        }
        let mut kept = tables.write.open_table(NUMBERS).map_err(storage)?;
        for (key, last) in self.numbers().drain() {
            kept.insert(&key, last).map_err(storage)?;
        }
        Ok(())
    }
}
