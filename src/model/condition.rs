//! Conditions that need a person: what the built-in event types are called.

/// The id of the subscription that `[operator] email` stands for, and of the client that it is for: no other subscription
/// and no client is called so.
pub const OPERATOR_SUBSCRIPTION: &str = "tidings-operator";
/// See [`OPERATOR_SUBSCRIPTION`].
pub const OPERATOR_CLIENT: &str = "tidings";

/// The event type of a registration's secret that ends soon: only the appliance publishes it, and it goes to that
/// registration alone (contracts/registrations.md, "Secrets").
pub const SECRET_EXPIRY: &str = "SECRET_EXPIRY";

/// What the appliance tells of itself: the condition begins, lasts, and ends. Each is an event type that only the
/// appliance publishes, and that only files subscribe to (contracts/events.md, "Publish").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// An endpoint, or what several of them share, does not take what is sent to it.
    EndpointHeld,
    /// An endpoint said that it is gone.
    EndpointDisabled,
    /// Something waits in a queue that nobody polls.
    PollerIdle,
    /// Notifications reached their deadline before they reached anybody.
    NotificationsExpired,
    /// Notifications failed, or events were refused, because too many wait.
    QueueFull,
    /// There is so little room on the disk that publishing is refused.
    DiskLow,
    /// A certificate ends soon, or has ended.
    CertificateExpiring,
    /// A secret ends soon.
    SecretExpiring,
    /// The wall clock is in doubt.
    Clock,
    /// The configuration on disk cannot be used: what runs is an earlier one.
    ReloadFailed,
}

impl Condition {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::EndpointHeld,
        Self::EndpointDisabled,
        Self::PollerIdle,
        Self::NotificationsExpired,
        Self::QueueFull,
        Self::DiskLow,
        Self::CertificateExpiring,
        Self::SecretExpiring,
        Self::Clock,
        Self::ReloadFailed,
    ];

    /// The event type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointHeld => "tidings.endpoint.held",
            Self::EndpointDisabled => "tidings.endpoint.disabled",
            Self::PollerIdle => "tidings.poller.idle",
            Self::NotificationsExpired => "tidings.notifications.expired",
            Self::QueueFull => "tidings.queue.full",
            Self::DiskLow => "tidings.disk.low",
            Self::CertificateExpiring => "tidings.certificate.expiring",
            Self::SecretExpiring => "tidings.secret.expiring",
            Self::Clock => "tidings.clock",
            Self::ReloadFailed => "tidings.reload.failed",
        }
    }

    /// The condition that this event type tells of.
    #[must_use]
    pub fn named(event_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.as_str() == event_type)
    }
}

/// Whether event types of this name are the appliance's own, those of later releases included.
#[must_use]
pub fn is_own(event_type: &str) -> bool {
    event_type.starts_with("tidings.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_found_by_its_name_and_is_the_appliance_s_own() {
        for condition in Condition::ALL {
            assert_eq!(Condition::named(condition.as_str()), Some(condition));
            assert!(is_own(condition.as_str()));
        }
        assert_eq!(Condition::named("tidings.reload"), None);
        assert!(!is_own("tidings"));
    }
}
