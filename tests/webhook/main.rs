//! Webhooks against real sockets: what is sent, what answers and faults mean, and where nothing is ever sent.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod egress;
mod hostile;
mod management;
#[path = "../support/pki.rs"]
mod pki;
mod proxy;
mod reach;
mod requests;
mod stage;
mod tls;
mod transport;
#[path = "../upstream/mod.rs"]
mod upstream;
