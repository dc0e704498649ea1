//! What the contract is told by the files.

use std::time::Duration;

use crate::api::unknown_members::UnknownMembers;

/// `[api.trigger]`
#[derive(Clone, Debug)]
pub struct TriggerSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// Exact paths that it answers at besides (`aliases`).
    pub aliases: Vec<String>,
    /// What a customer is found by, in this order (`recipient_keys`).
    pub recipient_keys: Vec<String>,
    /// What becomes of a command whose customer nobody knows.
    pub unknown_recipient: UnknownRecipient,
    /// How long the same command is a repeat; zero: never.
    pub repeat_window: Duration,
    /// What becomes of unknown members of a body.
    pub unknown_members: UnknownMembers,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
}

/// What becomes of a command whose customer nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRecipient {
    /// It is refused with 404.
    Refuse,
    /// It is accepted: stored, and sent to nobody.
    Accept,
}
