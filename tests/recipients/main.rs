//! The recipients contract through the front door (contracts/recipients.md): a real server, a real store.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod changes;
mod errors;
mod mail;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod table;
