//! What holds for every call beyond the credential itself: not revoked, from where it may come, with its certificate, not
//! too often; and API keys as a whole.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::api_keys::{ApiKeys, NotTheKey, public_of};
use super::bearer::Denied;
use super::clients::Clients;
use super::issuers::ForeignDenied;
use super::metrics::{AuthMetrics, Kind, Limit};
use super::principal::{Credential, Principal};
use super::revoked::Revocations;
use super::settings::{AuthLimits, AuthSettings};
use super::terms::Terms;
use super::throttle::{Named, Throttle};
use crate::base::clock::Timestamp;
use crate::base::rate::{Buckets, Rate};
use crate::model::id::ClientId;
use crate::store::{Store, StoreError};

/// How many clients of external issuers have a rate of their own at once.
const STRANGERS: usize = 1 << 16;

/// Where a call comes from, as far as its connection shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address; `None` on a unix socket.
    pub address: Option<IpAddr>,
    /// SHA-256 of the client certificate of its TLS connection.
    pub certificate: Option<[u8; 32]>,
}

/// Why a caller is turned away; the texts are for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The credential is no good (any more).
    Invalid(String),
    /// It is good, but not from here.
    NotAllowed(String),
    /// There were too many of something.
    TooMany {
        /// Of what.
        detail: String,
        /// How long to wait.
        wait: Duration,
    },
}

/// A token that is not taken.
#[derive(Clone, Debug)]
pub struct BadToken {
    /// Why; for the caller.
    detail: String,
    /// Whether it may be a guess: nothing about the token was ever good here.
    is_failure: bool,
}

impl From<Denied> for BadToken {
    fn from(denied: Denied) -> Self {
        Self { detail: denied.to_string(), is_failure: denied.is_failure() }
    }
}

impl From<ForeignDenied> for BadToken {
    fn from(denied: ForeignDenied) -> Self {
        Self { detail: denied.to_string(), is_failure: denied.is_failure() }
    }
}

/// What the parts of authentication share.
#[derive(Clone)]
pub struct GateParts {
    /// The clients.
    pub clients: Arc<Clients>,
    /// The API keys.
    pub api_keys: Arc<ApiKeys>,
    /// Slows down guessing.
    pub throttle: Arc<Throttle>,
    /// Knows the revoked tokens.
    pub revoked: Arc<Revocations>,
    /// The rates of those that no entry of the files stands for.
    pub strangers: Arc<Strangers>,
    /// Counts.
    pub metrics: AuthMetrics,
}

/// The rates of the clients of external issuers.
pub struct Strangers(Option<Buckets<ClientId>>);

impl Strangers {
    fn new(request_rate: Option<Rate>) -> Self {
        Self(request_rate.map(|rate| Buckets::new(rate, STRANGERS)))
    }
}

impl GateParts {
    /// The parts of these settings, of which nothing outlives the process.
    #[must_use]
    pub fn in_memory(settings: &AuthSettings) -> Self {
        Self {
            clients: Arc::new(Clients::new(&settings.clients)),
            api_keys: Arc::new(ApiKeys::new(&settings.api_keys)),
            throttle: Arc::new(Throttle::new(settings.limits.auth_failures)),
            revoked: Arc::new(Revocations::in_memory()),
            strangers: Arc::new(Strangers::new(settings.limits.request_rate)),
            metrics: AuthMetrics::new(),
        }
    }

    /// The parts of these settings, with what `store` has kept.
    pub async fn load(
        settings: &AuthSettings,
        store: Arc<dyn Store>,
        metrics: AuthMetrics,
    ) -> Result<Self, StoreError> {
        let revoked = Arc::new(Revocations::load(store).await?);
        Ok(Self { revoked, metrics, ..Self::in_memory(settings) })
    }

    /// The parts under `limits`, where those of `before` held: what a limit that stays has counted stays too.
    #[must_use]
    pub fn under(&self, limits: &AuthLimits, before: &AuthLimits) -> Self {
        let mut parts = self.clone();
        if limits.auth_failures != before.auth_failures {
            parts.throttle = Arc::new(Throttle::new(limits.auth_failures));
        }
        if limits.request_rate != before.request_rate {
            parts.strangers = Arc::new(Strangers::new(limits.request_rate));
        }
        parts
    }
}

/// Lets callers in.
pub struct Gate {
    parts: GateParts,
}

impl Gate {
    /// A gate of these parts.
    #[must_use]
    pub const fn new(parts: GateParts) -> Self {
        Self { parts }
    }

    /// Lets in who has shown a token, once its signature and its claims have been looked at.
    pub fn token(
        &self,
        verified: Result<Principal, BadToken>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Principal, TurnedAway> {
        let principal = verified.map_err(|bad| self.not_a_token(bad, origin, now))?;
        if principal.token.is_some_and(|token| self.parts.revoked.holds(token)) {
            return Err(TurnedAway::Invalid("the token was revoked: get a new one from the token endpoint".to_owned()));
        }
        match principal.credential {
            Credential::Token => self.client(&principal, origin, now)?,
            _ => self.stranger(&principal, now)?,
        }
        Ok(principal)
    }

    /// Lets in who has shown an API key.
    pub fn api_key(&self, presented: &str, origin: Origin, now: Timestamp) -> Result<Principal, TurnedAway> {
        let GateParts { api_keys, throttle, metrics, .. } = &self.parts;
        let names = Named::ApiKey(public_of(presented).unwrap_or_default());
        throttle.check(origin.address, names, now).map_err(|wait| self.too_many_failures(wait))?;
        let keys = api_keys.current();
        let found = keys.find(presented, now).map_err(|not| {
            if not == NotTheKey::Wrong {
                throttle.failed(origin.address, Some(names), now);
                metrics.failed(Kind::ApiKey);
            }
            TurnedAway::Invalid(not.to_string())
        })?;
        let entry = found.entry;
        self.keep_terms(&entry.terms, &entry.account, origin, now)?;
        entry.account.show(found.index, now);
        Ok(found.principal.clone())
    }

    /// What holds for a client of ours.
    fn client(&self, principal: &Principal, origin: Origin, now: Timestamp) -> Result<(), TurnedAway> {
        let clients = self.parts.clients.current();
        // It was there when the token was looked at: it has been removed since.
        let client = clients.get(principal.client_id.as_str());
        let client = client.ok_or_else(|| TurnedAway::Invalid(Denied::ClientUnknown.to_string()))?;
        if !client.takes_certificate(origin.certificate) {
            return Err(TurnedAway::Invalid(Denied::OtherCertificate.to_string()));
        }
        self.keep_terms(&client.terms, &client.account, origin, now)?;
        client.account.use_at(now);
        Ok(())
    }

    fn keep_terms(&self, terms: &Terms, account: &Account, origin: Origin, now: Timestamp) -> Result<(), TurnedAway> {
        if !terms.allow(origin.address) {
            return Err(TurnedAway::NotAllowed(not_from_here(origin.address)));
        }
        account.take_request(terms.request_rate, now).map_err(|wait| self.too_many_requests(wait))
    }

    fn stranger(&self, principal: &Principal, now: Timestamp) -> Result<(), TurnedAway> {
        let Some(strangers) = &self.parts.strangers.0 else { return Ok(()) };
        strangers.take(principal.client_id.clone(), now).map_err(|wait| self.too_many_requests(wait))
    }

    /// A token that is not ours is a failure of its address; one that was good once is nobody's guess. A good one is
    /// taken from an address that has failed too, for no token can be guessed.
    fn not_a_token(&self, bad: BadToken, origin: Origin, now: Timestamp) -> TurnedAway {
        if bad.is_failure {
            if let Err(wait) = self.parts.throttle.check_address(origin.address, now) {
                return self.too_many_failures(wait);
            }
            self.parts.throttle.failed(origin.address, None, now);
            self.parts.metrics.failed(Kind::Token);
        }
        TurnedAway::Invalid(bad.detail)
    }

    fn too_many_requests(&self, wait: Duration) -> TurnedAway {
        self.parts.metrics.throttled(Limit::Requests);
        let detail = "the client sends more requests than it may (request_rate)".to_owned();
        TurnedAway::TooMany { detail, wait }
    }

    fn too_many_failures(&self, wait: Duration) -> TurnedAway {
        self.parts.metrics.throttled(Limit::Failures);
        TurnedAway::TooMany { detail: TOO_MANY_FAILURES.to_owned(), wait }
    }
}

/// What is said to who has failed too often.
pub(super) const TOO_MANY_FAILURES: &str =
    "there were too many failures to authenticate from this address (limits.auth_failures)";

/// What is said to who may not call from where it does.
pub(super) fn not_from_here(address: Option<IpAddr>) -> String {
    let from = address.map_or_else(|| "over a unix socket".to_owned(), |address| format!("from {address}"));
    format!("the credential is not good {from}: allowed_from of its entry does not have that")
}

impl std::fmt::Display for NotTheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wrong => "the API key is not known here: keys are declared in [[api_keys]]",
            Self::Ended => "the API key has ended (not_after): ask the operator for a new one",
            Self::Disabled => "the API key is not enabled: ask the operator",
        })
    }
}
