//! The management contract: filtered subscriptions with an end date, and replay (contracts/management.md).

mod settings;

pub use self::settings::{ManagementScopes, ManagementSettings};
