//! A notification as the operator half tells of it.

use std::fmt::Write as _;

use serde::Deserialize;

/// The members that the commands show.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    pub(super) id: String,
    pub(super) event: String,
    #[serde(rename = "type")]
    pub(super) event_type: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) accepted: String,
    pub(super) deadline: String,
    pub(super) ended: Option<String>,
    pub(super) handouts: u32,
    pub(super) leased_until: Option<String>,
    pub(super) round: u32,
}

impl Notification {
    /// For example `failed (queue-full) since 2026-…`.
    pub(super) fn standing(&self) -> String {
        let mut out = self.state.clone();
        // Writing to a String cannot fail.
        if let Some(reason) = &self.reason {
            let _ = write!(out, " ({reason})");
        }
        if let Some(ended) = &self.ended {
            let _ = write!(out, " since {ended}");
        }
        if let Some(until) = &self.leased_until {
            let _ = write!(out, " until {until}");
        }
        out
    }

    /// One line.
    pub(super) fn line(&self) -> String {
        let to = self.subscription.as_deref().unwrap_or("a forgotten subscription");
        format!("{}  {} by {}: {}\n", self.id, to, self.kind, self.standing())
    }
}
