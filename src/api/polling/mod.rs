//! The polling contract: subscribe, then poll and consume (contracts/polling.md).
//!
//! An adapter: [`PollingContract`] turns requests into use cases of the engine, and their results into the contract's
//! JSON. The routes stand in one table; what can go wrong stands in one enum, whose code, status and text follow from
//! one `match`.

mod contract;
mod create;
mod error;
mod openapi;
mod page;
mod subscription;

use std::time::Duration;

pub use self::contract::PollingContract;
pub use self::openapi::document;
pub use crate::api::unknown_members::UnknownMembers;

/// `[api.polling]`
#[derive(Clone, Debug)]
pub struct PollingSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// The results in a page where a poll asks for no other number, 1 to 1000.
    pub page_size: usize,
    /// The longest `Prefer: wait`.
    pub max_wait: Duration,
    /// What becomes of unknown members of a body.
    pub unknown_members: UnknownMembers,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}
