//! The trigger contract through the front door (contracts/trigger.md): a real server, a real store.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod commands;
mod customers;
mod errors;
mod preferences;
mod repeats;
mod stage;
#[path = "../support/mod.rs"]
mod support;
