//! Deliveries through the front door: a real store and a real server, channels that do what a test has written for them,
//! and a clock that stands still until the test moves it. Days are simulated in milliseconds.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod addresses;
mod changes;
mod circuits;
mod days;
mod faults;
mod neighbours;
mod order;
mod outage;
mod schedules;
mod script;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod weather;
