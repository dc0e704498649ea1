//! Delivery: what is sent to webhooks and addresses, when, and what is done about what comes of it.

mod settings;

pub use self::settings::{ChannelSettings, DeliverySettings, MAX_SCHEDULE};
