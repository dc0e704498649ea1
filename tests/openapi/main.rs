//! The contracts' documents: that the shipped ones are what the program prints, that they are whole, that they are
//! served, and that an answer which they do not describe is noticed.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod documents;
mod noticed;
mod served;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use serde_json::Value;

/// The contracts that have a document.
const CONTRACTS: [&str; 9] =
    ["polling", "events", "management", "recipients", "registrations", "trigger", "root", "admin", "operator"];

fn file(contract: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("config/openapi/{contract}.json"))
}

/// The shipped document of a contract.
fn shipped(contract: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(contract)).unwrap()).unwrap()
}
