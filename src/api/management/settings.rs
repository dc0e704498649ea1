//! What the contract is told by the files.

use jiff::tz::TimeZone;

use crate::api::unknown_members::UnknownMembers;

/// `[api.management]`
#[derive(Clone, Debug)]
pub struct ManagementSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// In which zone a date without one is, and dates are answered.
    pub time_zone: TimeZone,
    /// The most notifications of one replay.
    pub replay_max: usize,
    /// What callers need.
    pub scopes: ManagementScopes,
    /// What becomes of unknown members of a body.
    pub unknown_members: UnknownMembers,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}

/// The scopes of the contract (`scopes = { read, write, replay }`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagementScopes {
    /// To read.
    pub read: &'static str,
    /// To make, change and end.
    pub write: &'static str,
    /// To replay.
    pub replay: &'static str,
}

impl Default for ManagementScopes {
    fn default() -> Self {
        Self { read: "notifications:read", write: "notifications:write", replay: "notifications:replay" }
    }
}

impl Default for ManagementSettings {
    /// What the contract says, for an appliance without a public URL.
    fn default() -> Self {
        Self {
            mount: "/notifications/v1".to_owned(),
            time_zone: TimeZone::get("Pacific/Auckland").unwrap_or(TimeZone::UTC),
            replay_max: 1000,
            scopes: ManagementScopes::default(),
            unknown_members: UnknownMembers::Ignore,
            public_url: String::new(),
            token_path: "/oauth2/token".to_owned(),
        }
    }
}
