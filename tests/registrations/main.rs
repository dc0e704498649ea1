//! The registrations contract from outside: an appliance in process, called over HTTP as an integrator's client would
//! (contracts/registrations.md). The seed's own examples are what goes in; every answer is checked against the contract's
//! document.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod changing;
mod creating;
mod domains;
mod errors;
mod event_types;
mod listing;
mod notifications;
mod reload;
mod secrets;
mod stage;
mod subscribers;
#[path = "../support/mod.rs"]
mod support;
#[path = "../upstream/mod.rs"]
mod upstream;
mod webhook;
