//! The wire over real sockets, with a contract that exists only here: whatever a caller does, the server keeps its
//! promises to the contract and to the other callers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod bodies;
mod client;
mod connections;
mod credentials;
mod delivery;
mod drain;
mod floods;
mod heads;
mod http2;
mod http2_delivery;
mod listeners;
mod peer;
#[path = "../support/pki.rs"]
mod pki;
mod replacing;
mod routing;
mod secure;
mod tls;
mod toy;
