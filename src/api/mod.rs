//! The contracts: one folder for each, with its routes, wire types, conversion and errors.
//!
//! They never import one another, the store or a channel. What more than one of them shows to a caller lives here.

pub mod admin;
mod admission;
pub mod events;
mod instant;
pub mod management;
mod media_type;
pub mod metrics;
mod openapi;
pub mod polling;
mod prefer;
pub mod problem;
pub mod recipients;
pub mod registrations;
pub mod root;
pub mod trigger;
pub mod unknown_members;
