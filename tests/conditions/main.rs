//! Conditions as events: each begins, is told daily and ends, exactly once each, whatever happens in between. A real
//! store, time moved by hand.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod appliance;
mod course;
mod endpoints;
mod operator;
mod queues;
mod stage;
#[path = "../support/mod.rs"]
mod support;
