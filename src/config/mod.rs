//! Text → settings: all problems at once, with file, line and column.
//!
//! [`load`] reads a main file, `conf.d/*.toml` and `*.json` beside it, the environment (`TIDINGS__SERVER__PUBLIC_URL`) and
//! flags, in this order: tables merge, the entries of `[[auth.issuers]]`, `[[clients]]`, `[[api_keys]]`, `[[event_types]]`,
//! `[[subscriptions]]`, `[[recipients]]` and `[[customers]]` add up, everything else is replaced by the later source. Nothing else is read but the secrets,
//! keys and certificates that the files name. What a problem says never holds a secret.
//!
//! Relative paths in the configuration (`data_dir`, sockets, secrets) are relative to the working directory.
//!
//! - [`Sources`]: which files, which environment; left-overs of editors and package managers are skipped and said so.
//! - `document`, `places`: one parse of each file gives its values and where each of them stands.
//! - `layers`: figment lays the sources over one another, the crate's own `defaults.toml` at the bottom.
//! - [`Effective`]: what the sources say together, to be compared, shown and kept.
//! - `reader`, `kind`, `secret`: read a key of a kind and collect what is wrong with it.
//! - `server`, `tls`, `contracts`, `clients`, `api_keys`, `credential`, `issuers`, `trust`, `events`, `limits`,
//!   `subscriptions`, `filter`, `rules`, `endpoints`, `recipients`, `customers`, `webhooks`, `email`, `templates`, `operator`, `log`, `settings`: one line for each key, then
//!   what must hold between keys.
//!
//! Not here: looking at the network or the data file, and reloading.

mod api_keys;
mod clients;
mod contracts;
mod credential;
mod crossings;
mod customers;
mod document;
mod effective;
mod egress;
mod email;
mod endpoints;
mod events;
mod fallback;
mod filter;
mod issuers;
mod kind;
mod layers;
mod limits;
mod load;
mod log;
mod operator;
mod places;
mod problem;
mod reader;
mod recipients;
mod rules;
mod secret;
mod server;
mod settings;
mod sources;
mod subscriptions;
mod templates;
mod tls;
mod trust;
mod webhooks;

pub use effective::{Difference, DifferenceKind, Effective, FieldChange, open_secrets, seal_secrets};
pub use fallback::{Fallback, fallback};
pub use kind::parse_duration;
pub use load::{Loaded, client_secret, defaults, keys, load};
pub use log::{LogFormat, LogSettings};
pub use problem::{Place, Problem, Problems, Severity};
pub use settings::{Sample, Settings};
pub use sources::{Files, Flag, Skipped, Sources};
