//! The polling contract through the front door (contracts/polling.md): a real server, a real store.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod errors;
mod keys;
mod limits;
mod pages;
mod subscriptions;
#[path = "../support/mod.rs"]
mod support;
mod waiting;
