//! The trigger contract: an upstream system asks us to tell a customer (contracts/trigger.md).
//!
//! An adapter: [`TriggerContract`] brings the parameters of a command, in whichever form they come, to one object and hands
//! it to the engine, which finds the customer and decides where and when.

mod b3;
mod command;
mod contract;
mod error;
mod openapi;
mod parameters;
mod settings;

pub use self::contract::TriggerContract;
pub use self::openapi::document;
pub use self::settings::{TriggerSettings, UnknownRecipient};
