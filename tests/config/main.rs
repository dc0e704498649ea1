//! The configuration through its front door: files in, settings or located problems out.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod catalogues;
mod credentials;
mod declared;
mod effective;
mod egress;
mod email;
mod examples;
mod hostile;
mod issuers;
mod json;
mod keys;
mod operator;
#[path = "../support/pki.rs"]
mod pki;
mod rules;
mod secrets;
mod shipped;
mod site;
mod sources;
mod spoilt;
mod tls;
