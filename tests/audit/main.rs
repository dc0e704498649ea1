//! The audit trail, and that nothing is revealed: the chain on its own, every route of a whole appliance, and what a
//! canary leaves behind.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod chain;
mod output;
mod trails;
