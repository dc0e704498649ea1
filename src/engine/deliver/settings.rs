//! What the delivery engine goes by.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::recipients::AllowedRecipients;

/// How many pauses a schedule has at most.
pub const MAX_SCHEDULE: usize = 64;

/// How notifications of one channel are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// The pauses after the first attempt, at most [`MAX_SCHEDULE`]; each is made up to 10 % longer or shorter.
    pub schedule: Vec<Duration>,
    /// How many attempts are under way at most.
    pub in_flight: usize,
    /// How many of them at one target.
    pub in_flight_each: usize,
}

impl ChannelSettings {
    /// The defaults of `[webhooks]` (design.md, "Configuration").
    #[must_use]
    pub fn webhooks() -> Self {
        let minutes = [5, 30, 120, 300, 600, 840, 1200, 1440].map(Duration::from_mins);
        let schedule = [Duration::from_secs(5)].into_iter().chain(minutes).collect();
        Self { schedule, in_flight: 512, in_flight_each: 32 }
    }

    /// The defaults of `[email]` (design.md, "Configuration").
    #[must_use]
    pub fn mail() -> Self {
        let schedule = [1, 5, 15, 60, 240, 720, 1440].map(Duration::from_mins).into();
        Self { schedule, in_flight: 32, in_flight_each: 4 }
    }
}

/// How notifications are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// `[webhooks]`
    pub webhooks: ChannelSettings,
    /// `[email]`; `None`: there is no mail, and what is for an address waits until there is.
    pub email: Option<ChannelSettings>,
    /// How long an address is not mailed to after a relay has said that it does not exist.
    pub suppress_for: Duration,
    /// `email.allowed_recipients`: which addresses callers of an API may name. Nothing that is sent is bound by it.
    pub allowed_recipients: AllowedRecipients,
    /// `events.time_zone`: what a customer's hours are in who names no other.
    pub time_zone: TimeZone,
}

/// The default of [`DeliverySettings::suppress_for`].
const SUPPRESS_FOR: Duration = Duration::from_hours(30 * 24);

impl Default for DeliverySettings {
    fn default() -> Self {
        let allowed_recipients = AllowedRecipients::default();
        let time_zone = TimeZone::UTC;
        Self {
            webhooks: ChannelSettings::webhooks(),
            email: None,
            suppress_for: SUPPRESS_FOR,
            allowed_recipients,
            time_zone,
        }
    }
}
