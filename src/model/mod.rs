//! The nouns of design.md: pure values, no I/O, no async, no clock reads.

pub mod address;
pub mod affiliation;
pub mod attempt;
pub mod catalogue;
pub mod cloud_event;
pub mod condition;
pub mod event;
pub mod filter;
pub mod holder;
mod hours;
pub mod id;
pub mod json;
pub mod message;
pub mod notification;
pub mod owners;
pub mod pattern;
pub mod profile;
pub mod recipients;
pub mod subscription;
mod subscription_set;
pub mod target;
