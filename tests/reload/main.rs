//! The files are the truth: an appliance in this process reads them again, whole or not at all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod callers;
#[path = "../audit/calls.rs"]
#[expect(dead_code, reason = "the request's id is of no use here")]
mod calls;
mod files;
mod issuers;
mod limits;
mod listeners;
mod plans;
#[path = "../issuers/signer.rs"]
#[expect(dead_code, reason = "one algorithm is enough here")]
mod signer;
mod site;
mod subscriptions;
