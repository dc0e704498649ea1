//! Delivery: what is sent to webhooks and addresses, when, and what is done about what comes of it.

mod notice;
mod settings;

pub use self::notice::{Conditions, EndpointName, NoConditions, TargetDown};
pub use self::settings::{ChannelSettings, DeliverySettings, MAX_SCHEDULE};
