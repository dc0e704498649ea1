//! The admin listener: health, metrics and the configuration (design.md, "Admin listener").
//!
//! It answers from the first moment of a start, while the store is still being opened or repaired, and to the last of
//! a stop. Health and metrics need no token; the configuration needs one with the operator's scope, but on the unix socket. Whatever else is served there stands behind the same guard ([`Guarded`]):
//! requests that a browser was tricked into are refused. What readiness and the metrics say is told by whoever mounts the contract: nothing here knows the
//! store.

mod configuration;
mod contract;
mod exposition;
mod guard;
mod openapi;
mod origin;
mod readiness;

pub use configuration::{
    ConfigurationReport, DifferenceReport, DiskReport, FieldReport, HeldReport, LastReloadReport, LateReconfigure,
    NotReloaded, PlanReport, ProblemReport, Reconfigure, ReloadReport, SubscriptionCounts,
};
pub use contract::{AdminContract, AdminSettings};
pub use guard::Guarded;
pub use openapi::document;
pub use readiness::{Health, Readiness};
