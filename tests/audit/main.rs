//! The audit trail: the chain on its own, what the server tells it, and every route of a whole appliance.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod calls;
mod chain;
mod desk;
mod output;
mod recipes;
#[path = "../support/served.rs"]
mod served;
mod stage;
mod trails;
mod walk;
