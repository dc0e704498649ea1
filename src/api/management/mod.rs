//! The management contract: filtered subscriptions with an end date, and replay (contracts/management.md).
//!
//! A caller is known by the parties of its token. A subscription is one of the engine's with a filter, an end and several
//! endpoints; the numbers that its webhooks count by are given out where notifications are stored.
//!
//! Not here: what stands in a webhook (`channel::webhook`), what a filter means (`model::filter`), the numbers and the end
//! of subscriptions (`store`), which notifications a replay means (`engine`).

mod contract;
mod create;
mod error;
mod expiry;
mod filters;
mod given;
mod openapi;
mod replay;
mod settings;
mod subscription;

pub use self::contract::ManagementContract;
pub use self::openapi::document;
pub use self::settings::{ManagementScopes, ManagementSettings};
