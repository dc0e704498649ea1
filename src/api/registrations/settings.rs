//! What the contract is told by the files.

use std::time::Duration;

use crate::api::unknown_members::UnknownMembers;

/// `[api.registrations]`
#[derive(Clone, Debug)]
pub struct RegistrationsSettings {
    /// Where it is mounted, without a slash at the end.
    pub mount: String,
    /// The status of a registration that was made: 201 or 200.
    pub created_status: u16,
    /// Whether `sharedSecret` is shown in every answer, and not at create and rotation only.
    pub show_secret: bool,
    /// Whether a webhook may be `http`.
    pub allow_http: bool,
    /// How long a secret lasts.
    pub secret_lifetime: Duration,
    /// How long the old secret signs besides the new one after a rotation.
    pub rotation_overlap: Duration,
    /// How requests prove where they come from.
    pub proof: Proof,
    /// What becomes of unknown members of a body.
    pub unknown_members: UnknownMembers,
    /// `server.public_url`, without a slash at the end.
    pub public_url: String,
    /// The path at which callers get their tokens: the first of `auth.token_paths`.
    pub token_path: String,
}

impl Default for RegistrationsSettings {
    /// The defaults of the contract (contracts/registrations.md), for paths in place of URLs.
    fn default() -> Self {
        Self {
            mount: "/partner/api/notification/v2".to_owned(),
            created_status: 201,
            show_secret: false,
            allow_http: false,
            secret_lifetime: Duration::from_hours(365 * 24),
            rotation_overlap: Duration::from_hours(24),
            proof: Proof::Standard,
            unknown_members: UnknownMembers::Ignore,
            public_url: String::new(),
            token_path: "/oauth2/token".to_owned(),
        }
    }
}

/// How requests prove where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the headers of Standard Webhooks.
    Standard,
    /// By the secret itself, in this header (`proof_header`).
    Header(String),
}
