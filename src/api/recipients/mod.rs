//! The recipients contract: who in a group is mailed about what (contracts/recipients.md).

mod settings;

pub use self::settings::{RecipientsScopes, RecipientsSettings};
