//! The trigger contract: an upstream system asks us to tell a customer (contracts/trigger.md).

mod settings;

pub use self::settings::{TriggerSettings, UnknownRecipient};
