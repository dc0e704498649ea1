//! Who calls, by what `auth` knows: tokens of ours and of the trusted issuers, and API keys, at the time of the clock.

use std::sync::Arc;

use async_trait::async_trait;

use super::credential::{Authenticate, Denial, Presented, Shown};
use crate::auth::issuers::{ForeignDenied, TrustedIssuers};
use crate::auth::{Authenticator, BadToken, Gate, Origin, Principal, TurnedAway};
use crate::base::clock::Clock;

/// Lets in who shows a good token or API key.
pub struct Doorkeeper {
    authenticator: Authenticator,
    issuers: Arc<TrustedIssuers>,
    gate: Gate,
    clock: Arc<dyn Clock>,
}

impl Doorkeeper {
    /// One who looks at tokens with `authenticator` and `issuers`, and lets callers in by `gate`.
    #[must_use]
    pub fn new(authenticator: Authenticator, issuers: Arc<TrustedIssuers>, gate: Gate, clock: Arc<dyn Clock>) -> Self {
        Self { authenticator, issuers, gate, clock }
    }

    async fn bearer(&self, token: &str, origin: Origin) -> Result<Principal, Denial> {
        let verified = match self.issuers.bearer(token, origin.certificate).await {
            Some(Err(unknown @ ForeignDenied::KeysUnavailable)) => {
                return Err(Denial::Unavailable(unknown.to_string()));
            }
            Some(foreign) => foreign.map_err(BadToken::from),
            None => {
                let ours = self.authenticator.bearer_with(token, origin.certificate, self.clock.now());
                ours.map_err(BadToken::from)
            }
        };
        self.gate.token(verified, origin, self.clock.now()).map_err(Denial::from)
    }
}

#[async_trait]
impl Authenticate for Doorkeeper {
    async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Denial> {
        let Presented { credential, address, certificate } = presented;
        let origin = Origin { address, certificate };
        match credential {
            Shown::Bearer(token) => self.bearer(token, origin).await,
            Shown::ApiKey(key) => self.gate.api_key(key, origin, self.clock.now()).map_err(Denial::from),
            Shown::Peer { .. } => Err(Denial::Invalid("send `Authorization: Bearer …`".to_owned())),
        }
    }
}

impl From<TurnedAway> for Denial {
    fn from(turned: TurnedAway) -> Self {
        match turned {
            TurnedAway::Invalid(detail) => Self::Invalid(detail),
            TurnedAway::NotAllowed(detail) => Self::NotAllowed(detail),
            TurnedAway::TooMany { detail, wait } => {
                let retry_after = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self::TooMany { detail, retry_after: retry_after.max(1) }
            }
        }
    }
}
