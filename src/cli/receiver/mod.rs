//! `tidings receiver`: a webhook receiver for trying things out.
//!
//! It verifies the signatures of what arrives (Standard Webhooks: `v1` by HMAC-SHA256, `v1a` by Ed25519), prints it, and
//! misbehaves on request, so that one can see what the appliance does about it. It stores nothing, and what it holds in
//! memory is bounded: bodies, connections, and the ids that it knows repeats by.
//!
//! Not here: TLS. It is meant for this machine; an egress policy lets webhooks come here by an entry such as
//! `127.0.0.1/32:9000`.

mod arrival;
mod behaviour;
mod command;
mod keys;
mod listener;
mod recorder;
mod signature;

pub(super) use self::command::{Receiver, run};
