//! The events contract: publishing, and the operator half ([`operator`]) (contracts/events.md).
//!
//! Four forms of a body become drafts of events ([`form`]), which the engine stores all or not at all. A body is walked
//! twice, once to check it and once to find its members; `data` is a slice of it from then on, byte for byte. Errors are
//! problem+json and list all that is wrong, each with the place where it stands.

mod attributes;
mod binary;
mod bounds;
mod contract;
mod customers;
mod error;
mod form;
mod lease;
mod openapi;
mod operator;
mod problems;
mod publish;
mod receipt;
mod safe_poll;
mod structured;

use std::time::Duration;

pub use self::contract::EventsContract;
pub use self::openapi::{document, operator_document};
pub use self::operator::{LateCaretaker, LateEngine, OperatorContract, OperatorSettings};

/// `[api.events]`
#[derive(Clone, Debug)]
pub struct EventsSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// The largest batch in bytes.
    pub max_batch: usize,
    /// The largest single event in bytes: `server.max_body`.
    pub max_event: usize,
    /// After so many leases without an acknowledgement a notification is failed.
    pub max_handouts: u32,
    /// The longest that a safe poll waits.
    pub max_wait: Duration,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}
