//! The recipients contract: who in a group is mailed about what (contracts/recipients.md).
//!
//! An adapter: [`RecipientsContract`] shows the table of the caller's group, and changes it. Every path answers with and
//! without a slash at its end, as published clients send either.

mod configure;
mod contract;
mod error;
mod etag;
mod group;
mod openapi;
mod settings;
mod table;

pub use self::contract::RecipientsContract;
pub use self::openapi::document;
pub use self::settings::{RecipientsScopes, RecipientsSettings};
