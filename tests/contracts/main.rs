//! The contracts beside one another, all of them on one appliance: an event reaches whoever wants it through any of them
//! and nobody else, what was made through one is not there in another, and each says in its own words what went wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod failures;
mod isolation;
mod limits;
#[path = "../management/stage.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod management;
mod objects;
mod reach;
#[path = "../recipients/stage.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod recipients;
#[path = "../registrations/stage.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod registrations;
mod site;
#[path = "../support/mod.rs"]
mod support;
#[path = "../trigger/stage.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod trigger;
