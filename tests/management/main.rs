//! The management contract through the front door (contracts/management.md): a real server, a real store, and the channels'
//! own word on where things may go; only the sending is a script.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod create;
mod dates;
mod errors;
mod matching;
mod reading;
mod replays;
mod stage;
#[path = "../support/mod.rs"]
mod support;
