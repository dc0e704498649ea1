//! What everything stands on: time, randomness, outbound HTTP, secrets and their sealing, signatures, rates, networks,
//! stopping, trace context, the audit trail, and what must not be read in a log.
//!
//! Nothing here knows what a notification is.

pub mod audit;
pub mod clock;
pub mod ed25519;
pub mod intern;
pub mod legible;
pub mod masking;
pub mod network;
pub mod outbound;
pub mod random;
pub mod rate;
pub mod seal;
pub mod secret;
pub mod stop;
pub mod timekeeper;
pub mod trace;
