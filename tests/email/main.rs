//! The mail channel against a scripted relay that misbehaves at every verb, and what its messages and templates are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod content;
mod dialogue;
mod dkim;
#[path = "../support/pki.rs"]
mod pki;
mod relay;
mod reuse;
mod secure;
mod stage;
mod templates;
