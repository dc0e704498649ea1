//! Tidings, an on-prem notification appliance: one statically linked binary and one data file.
//!
//! # The map of the house
//!
//! Imports point only downwards; `tests/layering/` reads the sources and enforces it.
//!
//! | module | what lives there | may import |
//! | --- | --- | --- |
//! | [`base`] | clock, randomness, outbound HTTP, secrets and their sealing, stop, trace context, audit trail, masking. Nothing about notifications | – |
//! | [`model`] | the nouns: pure, no I/O, no async, no clock reads | base |
//! | [`store`] | the only code that names redb: tables, records, queues, group commit | base, model |
//! | [`auth`] | credentials → principal: clients, tokens. No hyper | base, model, store |
//! | [`channel`] | how a message leaves: webhook, e-mail. No store, no retry loop | base, model |
//! | [`engine`] | the use cases (publish, poll, subscribe, sweep) and the workers that run them | base, model, store, channel |
//! | [`http`] | the wire under the contracts: listeners, routing, bodies, limits, drain. Knows no contract | base, model, auth |
//! | [`api`] | one folder for each contract: routes, wire types, conversion, its own errors | base, model, auth, engine, http |
//! | [`config`] | text → settings, all problems at once with file and line | all above, for their settings types |
//! | [`app`] | wiring, life cycle, the log | all above |
//! | [`cli`] | the subcommands; `serve` listens to the signals | all above |

pub mod api;
pub mod app;
pub mod auth;
pub mod base;
pub mod channel;
pub mod cli;
pub mod config;
pub mod engine;
pub mod http;
pub mod model;
pub mod store;
