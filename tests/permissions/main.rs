//! The permission matrix: every route of a whole appliance, at every listener, with every kind of credential, every
//! scope and every owner, cell by cell.
//!
//! The routes come from the tables that are served, what is expected of each cell from the rules of the contracts
//! ([`rules`], [`outcome`]), never from what is answered. A route that no rule knows fails by name.
//!
//! Not here: what a good call does (the contracts' own tests), and which of many ways to forge a token there are
//! (`tests/auth.rs`, `tests/issuers/`): one of each kind is enough to show that a route looks at all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod door;
mod issuers;
mod matrix;
mod objects;
mod outcome;
mod report;
mod rules;
#[path = "../support/served.rs"]
mod served;
#[allow(dead_code, reason = "it signs with every algorithm; here one is enough")]
#[path = "../issuers/signer.rs"]
mod signer;
mod stage;
mod wallet;
mod words;
