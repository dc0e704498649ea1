//! A bearer token → who calls.
//!
//! Verifying a signature costs seven times what all else of a request does: verified tokens are
//! remembered by their SHA-256, in bounded room. What may change is looked at on every request all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, Header, Validation};
use quick_cache::sync::Cache;

use super::claims::{Claims, TYPE, instant};
use super::clients::{ClientSet, Clients};
use super::confirmation::Confirmation;
use super::keys::SigningKeys;
use super::principal::{Caller, Principal};
use super::revoked::TokenId;
use super::settings::{AuthSettings, ClientSettings};
use crate::base::clock::Timestamp;
use crate::base::secret::sha256;
use crate::model::id::ClientId;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 << 10;
/// How many verified tokens are remembered.
pub(super) const REMEMBERED: usize = 10_000;

/// Why a token is not taken: what is said to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is longer than [`MAX_TOKEN`].
    #[error("the token is longer than {MAX_TOKEN} bytes: send one from this server's token endpoint")]
    TooLong,
    /// It is no access token of ours: another form, type, algorithm or key.
    #[error("the token is not one of this server's access tokens: get one from its token endpoint")]
    Foreign,
    /// Its signature is wrong.
    #[error("the token's signature is wrong: it was changed on its way, or another server issued it")]
    BadSignature,
    /// Its `iss` or `aud` is not ours.
    #[error("the token was issued for another server or audience: get a new one from this server's token endpoint")]
    OtherAudience,
    /// Its time is over.
    #[error("the token has expired: get a new one from the token endpoint")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet: the clock of its issuer or of this server is wrong")]
    NotYetValid,
    /// Its client has been removed.
    #[error("the token's client is not known here any more: the operator declares clients in [[clients]]")]
    ClientUnknown,
    /// Its client is switched off.
    #[error("the token's client is not enabled: ask the operator")]
    ClientDisabled,
    /// It was issued before its client's `tokens_not_before`.
    #[error("the tokens that the client got so far are not good any more: get a new one from the token endpoint")]
    TooOld,
    /// It is bound to a certificate that the connection has not shown.
    #[error("the token is bound to a client certificate, and the connection has not shown that certificate")]
    OtherCertificate,
}

impl Denied {
    /// Whether it may be a guess: nothing about the token was ever good here.
    #[must_use]
    pub(super) const fn is_failure(self) -> bool {
        matches!(self, Self::TooLong | Self::Foreign | Self::BadSignature | Self::OtherAudience)
    }
}

/// Takes tokens and says who calls.
pub struct Authenticator {
    keys: Arc<SigningKeys>,
    clients: Arc<Clients>,
    validation: Validation,
    verified: Cache<[u8; 32], Arc<Verified>>,
}

/// What a verified token says. It never changes, unlike what it is worth.
struct Grant {
    key_id: String,
    client_id: ClientId,
    subject: String,
    scopes: BTreeSet<String>,
    issued: Timestamp,
    not_before: Timestamp,
    expires: Timestamp,
    token: TokenId,
    confirmation: Option<Confirmation>,
}

/// A remembered token, and what it was worth under one set of clients.
struct Verified {
    grant: Arc<Grant>,
    clients_version: u64,
    principal: Principal,
}

impl Authenticator {
    /// Takes tokens that were signed with `keys`; the clients in `settings` are not looked at.
    #[must_use]
    pub fn new(settings: &AuthSettings, keys: Arc<SigningKeys>, clients: Arc<Clients>) -> Self {
        Self::remembering(REMEMBERED, settings, keys, clients)
    }

    fn remembering(count: usize, settings: &AuthSettings, keys: Arc<SigningKeys>, clients: Arc<Clients>) -> Self {
        let AuthSettings { audience, issuer, .. } = settings;
        Self { keys, clients, validation: validation(issuer, audience), verified: Cache::new(count) }
    }

    /// Who calls with this token at `now`: its client, with those of its scopes that the client has at present.
    pub fn bearer(&self, token: &str, now: Timestamp) -> Result<Principal, Denied> {
        self.bearer_with(token, None, now)
    }

    /// As [`Authenticator::bearer`], on a connection that has shown the certificate with this SHA-256: a token that is
    /// bound to one (RFC 8705, 3) is good with that one only.
    pub fn bearer_with(&self, token: &str, certificate: Option<[u8; 32]>, now: Timestamp) -> Result<Principal, Denied> {
        if token.len() > MAX_TOKEN {
            return Err(Denied::TooLong);
        }
        let clients = self.clients.current();
        let key = sha256(token.as_bytes());
        let grant = match self.verified.get(&key) {
            Some(known) if known.clients_version == clients.version() => {
                self.check(&known.grant, certificate, now)?;
                return Ok(known.principal.clone());
            }
            Some(known) => Arc::clone(&known.grant),
            None => Arc::new(self.verify(token, now)?),
        };
        self.check(&grant, certificate, now)?;
        let principal = worth(&grant, &clients)?;
        let verified = Verified { grant, clients_version: clients.version(), principal: principal.clone() };
        self.verified.insert(key, Arc::new(verified));
        Ok(principal)
    }

    /// Puts `clients` in the place of those that there are, for the token endpoint too. A token of a client that is
    /// no longer there, or a scope that its client no longer has, is worth nothing from the next request on.
    pub fn replace_clients(&self, clients: &[ClientSettings]) {
        self.clients.replace(clients);
    }

    /// How many verified tokens are remembered; at most 10,000.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.verified.len()
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<Grant, Denied> {
        let (key_id, claims) = read_claims(&self.keys, &self.validation, token, now)?;
        Ok(Grant::new(key_id, claims))
    }

    /// What can end a token that was good, whatever its client has.
    fn check(&self, grant: &Grant, certificate: Option<[u8; 32]>, now: Timestamp) -> Result<(), Denied> {
        grant.check(now, certificate)?;
        if self.keys.accepts(&grant.key_id, now) { Ok(()) } else { Err(Denied::Foreign) }
    }
}

/// What a token of ours says, and which key has signed it. Times are not looked at.
pub(super) fn read_claims(
    keys: &SigningKeys,
    validation: &Validation,
    token: &str,
    now: Timestamp,
) -> Result<(String, Claims), Denied> {
    if token.len() > MAX_TOKEN {
        return Err(Denied::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Foreign)?;
    let key_id = header.kid.as_deref().filter(|_| is_ours(&header)).ok_or(Denied::Foreign)?;
    let key = keys.verifying(key_id, now).ok_or(Denied::Foreign)?;
    let data = jsonwebtoken::decode::<Claims>(token, &key, validation).map_err(|error| denied(&error))?;
    Ok((key_id.to_owned(), data.claims))
}

/// Whether the header names our type and algorithm (RFC 9068, 4), and nothing that we would have to know but do not
/// (RFC 7515, 4.1.11).
fn is_ours(header: &Header) -> bool {
    header.alg == Algorithm::ES256
        && header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE))
        && header.crit.is_none()
}

impl Grant {
    fn new(key_id: String, claims: Claims) -> Self {
        // The validation has looked at iss and aud.
        let Claims { iss: _, sub, client_id, aud: _, exp, iat, nbf, jti, scope, cnf } = claims;
        Self {
            key_id,
            client_id: ClientId::new(&client_id),
            subject: sub,
            scopes: scope.split_ascii_whitespace().map(str::to_owned).collect(),
            issued: instant(iat),
            not_before: nbf.map_or(Timestamp::MIN, instant),
            expires: instant(exp),
            token: TokenId::of(&jti),
            confirmation: cnf,
        }
    }

    fn check(&self, now: Timestamp, certificate: Option<[u8; 32]>) -> Result<(), Denied> {
        if now >= self.expires {
            Err(Denied::Expired)
        } else if now < self.not_before {
            Err(Denied::NotYetValid)
        } else if self.confirmation.is_some_and(|confirmation| !confirmation.is_shown_by(certificate)) {
            Err(Denied::OtherCertificate)
        } else {
            Ok(())
        }
    }
}

fn worth(grant: &Grant, clients: &ClientSet) -> Result<Principal, Denied> {
    let client = clients.get(grant.client_id.as_str()).ok_or(Denied::ClientUnknown)?;
    if !client.terms.enabled {
        return Err(Denied::ClientDisabled);
    }
    // A token says the second in which it was issued: one of the second in which the new time begins may be refused.
    if client.tokens_not_before.is_some_and(|begin| grant.issued < begin) {
        return Err(Denied::TooOld);
    }
    let scopes = grant.scopes.intersection(&client.scopes).cloned().collect();
    Ok(Principal::of(Caller {
        publish: client.terms.publish.clone(),
        token: Some(grant.token),
        affiliation: client.affiliation.clone(),
        acts_for_any: client.acts_for_any.clone(),
        ..Caller::new(grant.client_id.clone(), grant.subject.clone(), scopes)
    }))
}

/// What the library checks. Times are not among it: it would read the machine's clock.
pub(super) fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn denied(error: &JwtError) -> Denied {
    match error.kind() {
        ErrorKind::InvalidSignature => Denied::BadSignature,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => Denied::OtherAudience,
        _ => Denied::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

    use super::*;
    use crate::auth::{GateParts, TokenRequest, TokenService};
    use crate::base::random::SeededRandomness;
    use crate::base::secret::{ExposeSecret, SecretHash};

    #[test]
    fn no_more_tokens_are_remembered_than_there_is_room_for() {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let keys = Arc::new(SigningKeys::from_pkcs8(key.as_ref()).unwrap());
        let client = ClientSettings {
            secrets: vec![SecretHash::of(b"s3cret").into()],
            scopes: BTreeSet::from(["a".to_owned()]),
            ..ClientSettings::new("crm")
        };
        let mut settings = AuthSettings::new("http://127.0.0.1:8420", vec![client]);
        settings.limits.token_rate = None;
        let random = Arc::new(SeededRandomness::new(1));
        let gate = GateParts::in_memory(&settings);
        let service = TokenService::new(&settings, Arc::clone(&keys), gate.clone(), random);
        let authenticator = Authenticator::remembering(32, &settings, keys, gate.clients);
        let request = TokenRequest::with_secret("crm", "s3cret");
        let now = Timestamp::from_millis(0);
        let tokens: Vec<_> = (0..200).map(|_| service.issue(&request, now).unwrap().access_token).collect();
        for token in tokens.iter().chain(&tokens) {
            authenticator.bearer(token.expose_secret(), now).unwrap();
            assert!((1..=32).contains(&authenticator.remembered()));
        }
    }
}
