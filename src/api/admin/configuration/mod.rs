//! The configuration of the running appliance: what it is, what a reload would change, and the reload.
//!
//! The routes stand beside health and metrics, not below a mount: a reload may change the mounts. Who does the work is
//! told by whoever mounts the contract ([`Reconfigure`]): nothing here reads files.

mod report;
mod routes;

pub use report::{
    ConfigurationReport, DifferenceReport, DiskReport, FieldReport, HeldReport, LastReloadReport, PlanReport,
    ProblemReport, ReloadReport, SubscriptionCounts,
};
pub use routes::{LateReconfigure, NotReloaded, Reconfigure};
pub(super) use routes::{Operation, ROUTES, call, describe};
