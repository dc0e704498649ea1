//! The operator's commands: they look at everything and act on it, through the admin listener of a running appliance.

mod attempt;
pub(super) mod bulk;
pub(super) mod clock;
mod consent;
mod desk;
mod endpoint;
pub(super) mod explain;
pub(super) mod hold;
mod last_uses;
mod notification;
pub(super) mod peek;
pub(super) mod purge;
pub(super) mod rotate_keys;
pub(super) mod subscriptions;
pub(super) mod suppressions;

pub(super) use self::desk::{Admin, mount};
pub(super) use self::last_uses::{CredentialUse, credentials};
pub(super) use self::subscriptions::{Held, held};
