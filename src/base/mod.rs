//! What everything stands on: time, randomness, secrets, stopping, trace context.
//!
//! Nothing here knows what a notification is.

pub mod clock;
pub mod random;
pub mod secret;
pub mod stop;
pub mod trace;
