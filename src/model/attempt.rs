//! An attempt: one try to deliver a notification, with its outcome.

use std::time::Duration;

use crate::base::clock::Timestamp;

/// How many bytes of an answer's text are kept with an attempt.
pub const ANSWER_BYTES: usize = 4096;

/// One try to deliver a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, in ledger time.
    pub started: Timestamp,
    /// How long it took in all.
    pub took: Duration,
    /// How long its phases took.
    pub phases: Phases,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// The class of the outcome, such as `status-503`, `connect-refused`, `timeout`: for metrics, of a bounded number.
    pub reason: String,
    /// The status of an HTTP answer, or the code of an SMTP reply.
    pub status: Option<u16>,
    /// What happened, for people. No secrets.
    pub detail: String,
    /// The text of the answer, at most [`ANSWER_BYTES`]; empty where it is not kept.
    pub answer: String,
    /// Whether it was to find out if the endpoint is there again.
    pub probe: bool,
}

/// How long the parts of an attempt took; `None`: it did not come to that, or (of connecting) needed none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Until there was a connection, with name, TCP and TLS.
    pub connect: Option<Duration>,
    /// From the request to the first byte of the answer (mail: to the reply to the message).
    pub answer: Option<Duration>,
    /// From then to the last byte.
    pub body: Option<Duration>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It was taken.
    Delivered,
    /// It was not, for a fault of the endpoint or on the way.
    Fault,
    /// It was refused for what it is.
    Rejected,
}

impl AttemptOutcome {
    /// The name in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Fault => "fault",
            Self::Rejected => "rejected",
        }
    }
}
