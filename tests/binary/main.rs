//! The real binary, from its command line and its sockets: what only shows in a process of its own (exit codes,
//! signals, kill -9, locks, closed pipes).
//!
//! Addresses are unix sockets in a temporary folder and port 0, so that tests do not fight for ports. Every wait looks
//! for something that happens, and is bounded.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod audit;
mod canary;
mod commands;
mod credentials;
#[path = "../support/openapi.rs"]
mod openapi;
mod operator;
mod program;
mod receiver;
mod refusals;
mod reload;
mod serving;
mod wire;
