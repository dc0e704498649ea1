//! The test-suite of the `Store` trait, run through the store on redb; a second store is run through the same.
//!
//! `suite`, `pages` and `time` ask nothing of a store but what the trait promises, `model` and `courses` check random histories
//! against models of lists, and `redb` and `faults` look at what only this store has: its file, its faults, its verification.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod act;
mod attempts;
mod claims;
mod clock;
mod courses;
mod endpoints;
mod erase;
mod faults;
mod holds;
mod hours;
mod lease;
mod look;
mod model;
mod notes;
mod numbers;
mod older;
mod own;
mod pages;
mod redb;
mod repeats;
mod room;
mod rows;
mod rules;
mod sending;
mod sending_rules;
mod sent;
mod standings;
mod subject;
mod suite;
mod time;
