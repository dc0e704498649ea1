//! A notification: one event for one endpoint, and the states that it goes through.

/// How an endpoint is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// A queue that its client polls.
    Poll,
    /// A URL that is posted to.
    Webhook,
    /// One address that is mailed to.
    Email,
}

impl EndpointKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Poll, Self::Webhook, Self::Email];

    /// The name in configuration, answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Webhook => "webhook",
            Self::Email => "email",
        }
    }
}

/// How many of something there are of each kind of endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByKind<T> {
    /// Polled queues.
    pub poll: T,
    /// Webhooks.
    pub webhook: T,
    /// Mail addresses.
    pub email: T,
}

impl<T> ByKind<T> {
    /// The one for `kind`.
    pub const fn get(&self, kind: EndpointKind) -> &T {
        match kind {
            EndpointKind::Poll => &self.poll,
            EndpointKind::Webhook => &self.webhook,
            EndpointKind::Email => &self.email,
        }
    }

    /// The one for `kind`, to change it.
    pub const fn get_mut(&mut self, kind: EndpointKind) -> &mut T {
        match kind {
            EndpointKind::Poll => &mut self.poll,
            EndpointKind::Webhook => &mut self.webhook,
            EndpointKind::Email => &mut self.email,
        }
    }
}

/// The state of a notification (design.md, "Nouns").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits to be polled or sent.
    Queued,
    /// Handed out and not yet acknowledged.
    Leased,
    /// Waits for a condition to end (paused, circuit open, …).
    Held,
    /// Arrived at a webhook or a mail relay.
    Delivered,
    /// Polled.
    Consumed,
    /// Ended without arriving, with a reason.
    Failed,
    /// Its deadline passed.
    Expired,
    /// Ended by somebody's wish.
    Cancelled,
}

impl State {
    /// All states, in the order of the conservation sum.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Leased,
        Self::Held,
        Self::Delivered,
        Self::Consumed,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// Whether it is the end of a round: nothing more happens unless somebody asks for another.
    #[must_use]
    pub const fn is_end(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Held => false,
            Self::Delivered | Self::Consumed | Self::Failed | Self::Expired | Self::Cancelled => true,
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The name in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Consumed => "consumed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Notifications counted: created is the sum of all states (promise 2, conservation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many were made.
    pub created: u64,
    states: [u64; State::ALL.len()],
}

impl Sums {
    /// So many made, and none accounted for yet.
    #[must_use]
    pub const fn of(created: u64) -> Self {
        Self { created, states: [0; State::ALL.len()] }
    }

    /// How many are in `state`.
    #[must_use]
    pub const fn get(&self, state: State) -> u64 {
        self.states[state as usize]
    }

    /// Counts `count` more in `state`.
    pub const fn add(&mut self, state: State, count: u64) {
        self.states[state as usize] += count;
    }

    /// Counts `count` fewer in `state`: they have begun a new round.
    pub const fn remove(&mut self, state: State, count: u64) {
        self.states[state as usize] = self.states[state as usize].saturating_sub(count);
    }

    /// Adds `other` to these.
    pub fn merge(&mut self, other: &Self) {
        self.created += other.created;
        for (mine, theirs) in self.states.iter_mut().zip(other.states) {
            *mine += theirs;
        }
    }

    /// Whether what was created is what is accounted for.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.created == self.states.iter().sum::<u64>()
    }
}
