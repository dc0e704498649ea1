//! Tokens of external issuers: what is taken, what is not, what they are worth, and where the keys come from.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod bounds;
mod house;
mod keys;
mod remote;
mod serving;
mod signer;
mod tokens;
#[path = "../upstream/mod.rs"]
mod upstream;
