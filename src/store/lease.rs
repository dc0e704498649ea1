//! Leasing and acknowledging (contracts/events.md, "Poll safely").

use std::time::Duration;

use super::Handed;
use crate::base::clock::Timestamp;
use crate::model::id::{ClientId, EndpointNumber, LedgerId};

/// A request to acknowledge and to lease, in this order, in one transaction.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Whose queue.
    pub endpoint: EndpointNumber,
    /// Notifications that have arrived: they are consumed. Unknown and ended ones are ignored.
    pub acks: Vec<LedgerId>,
    /// Notifications that the caller cannot take, each with the reason that it is failed with.
    pub errors: Vec<(LedgerId, String)>,
    /// The most notifications to lease, 0 to 1000.
    pub max: usize,
    /// The page ends when its events reach this many bytes; at least one is given, where `max` is not 0.
    pub max_bytes: usize,
    /// How long the lease lasts.
    pub duration: Duration,
    /// After so many leases without an acknowledgement a notification is failed as `abandoned`, when the last one ends.
    pub max_handouts: u32,
    /// Who asks.
    pub client: ClientId,
    /// The request that asks, kept with the lease.
    pub request_id: String,
}

/// What was leased, and what became of the acknowledgements.
#[derive(Clone, Debug, Default)]
pub struct Leased {
    /// The notifications, oldest first.
    pub notifications: Vec<Handed>,
    /// When the lease ends, in ledger time; `None` where nothing was leased.
    pub until: Option<Timestamp>,
    /// Whether more could be had now.
    pub more: bool,
    /// How many of the acknowledged ones are consumed now.
    pub consumed: u64,
    /// How many of the reported ones are failed now.
    pub failed: u64,
}
