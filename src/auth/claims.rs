//! What stands in our access tokens (RFC 9068, 2.2).

use serde::{Deserialize, Serialize};

use super::confirmation::Confirmation;
use crate::base::clock::Timestamp;

/// The media type of an access token in the header's `typ` (RFC 9068, 2.1).
pub(super) const TYPE: &str = "at+jwt";

/// The claims of an access token; instants are whole seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Who issued it: `server.public_url`.
    pub(super) iss: String,
    /// Whom it is about; the client for client credentials.
    pub(super) sub: String,
    /// Which client got it.
    pub(super) client_id: String,
    /// For whom it is: `auth.audience`.
    pub(super) aud: String,
    /// From this second on it is worth nothing.
    pub(super) exp: i64,
    /// When it was issued.
    pub(super) iat: i64,
    /// Before this second it is worth nothing; we issue none with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<i64>,
    /// Its own id.
    pub(super) jti: String,
    /// Its scopes, separated by blanks.
    #[serde(default)]
    pub(super) scope: String,
    /// The certificate that it is bound to (RFC 8705, 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Confirmation>,
}

impl Claims {
    /// From when on it is worth nothing.
    pub(super) fn end(&self) -> Timestamp {
        instant(self.exp)
    }
}

/// The instant of a claim.
pub(super) const fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}
