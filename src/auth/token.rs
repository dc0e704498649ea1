//! The built-in token endpoint's decisions: client credentials (RFC 6749, 4.4) → a signed access token (RFC 9068), and
//! the end of one before its time (RFC 7009).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;

use super::bearer::{read_claims, validation};
use super::claims::Claims;
use super::clients::{Client, ClientSet, NotTheClient, Showing};
use super::confirmation::Confirmation;
use super::gate::{GateParts, TOO_MANY_FAILURES, not_from_here};
use super::keys::{PublicKeys, SigningKeys};
use super::metrics::{Kind, Limit};
use super::revoked::{NotRevoked, TokenId};
use super::settings::AuthSettings;
use super::throttle::Named;
use super::token_request::{IssuedToken, RevokeError, ShownClient, TokenError, TokenRequest};
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::rate::Rate;
use crate::base::secret::{ExposeSecret, SecretString};

/// The longest part of a refused scope that is shown.
const SHOWN_SCOPE: usize = 100;

/// Gives out tokens, and takes them back.
pub struct TokenService {
    issuer: String,
    audience: String,
    lifetime: Duration,
    rate: Option<Rate>,
    validation: Validation,
    keys: Arc<SigningKeys>,
    parts: GateParts,
    random: Arc<dyn Random>,
}

impl TokenService {
    /// The service for the clients in `parts`; those in `settings` are not looked at.
    #[must_use]
    pub fn new(settings: &AuthSettings, keys: Arc<SigningKeys>, parts: GateParts, random: Arc<dyn Random>) -> Self {
        let AuthSettings { audience, issuer, token_lifetime, limits, .. } = settings;
        Self {
            issuer: issuer.clone(),
            audience: audience.clone(),
            lifetime: *token_lifetime,
            rate: limits.token_rate,
            validation: validation(issuer, audience),
            keys,
            parts,
            random,
        }
    }

    /// Gives the client a token, or says why not. Who does not show a right secret learns nothing else.
    pub fn issue(&self, request: &TokenRequest, now: Timestamp) -> Result<IssuedToken, TokenError> {
        let clients = self.parts.clients.current();
        let TokenRequest { client: shown, grant_type, scope } = request;
        let client = self.authenticate(&clients, shown, now)?;
        match grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::NoGrantType),
        }
        let scope = granted(client, scope.as_deref())?;
        let bound = shown.origin.certificate.filter(|_| client.is_bound());
        let claims = Claims { cnf: bound.map(Confirmation::of), ..self.claims(&shown.id, scope.clone(), now) };
        let token = self.keys.sign(&claims).map_err(|e| TokenError::NotSigned { reason: e.to_string() })?;
        Ok(IssuedToken { access_token: token.into(), expires_in: self.lifetime, scope })
    }

    /// Ends a token of the client before its time; once this is answered it is refused, also after a restart. What is no
    /// token of ours, or has ended, needs nothing (RFC 7009, 2.2).
    pub async fn revoke(
        &self,
        client: &ShownClient,
        token: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<(), RevokeError> {
        self.authenticate(&self.parts.clients.current(), client, now)?;
        let token = token.ok_or(RevokeError::NoToken)?;
        let Ok((_, claims)) = read_claims(&self.keys, &self.validation, token.expose_secret(), now) else {
            return Ok(());
        };
        if claims.client_id != client.id {
            return Err(RevokeError::ForeignToken);
        }
        let end = claims.end();
        if now >= end {
            return Ok(());
        }
        let revoked = self.parts.revoked.add(TokenId::of(&claims.jti), end, now).await;
        revoked.map_err(|not| match not {
            NotRevoked::Full { again } => RevokeError::Full { wait: again.since(now) },
            NotRevoked::Store(error) => RevokeError::Store(error),
        })
    }

    /// The public keys of the tokens that are good at `now`.
    #[must_use]
    pub fn public_keys(&self, now: Timestamp) -> PublicKeys {
        self.keys.public(now)
    }

    /// The client that shows itself, if it may call now and from here.
    fn authenticate<'c>(
        &self,
        clients: &'c ClientSet,
        shown: &ShownClient,
        now: Timestamp,
    ) -> Result<&'c Client, TokenError> {
        let ShownClient { id, secrets, origin } = shown;
        let GateParts { throttle, metrics, .. } = &self.parts;
        let too_many = |limit, detail| {
            move |wait| {
                metrics.throttled(limit);
                TokenError::TooMany { detail, wait }
            }
        };
        let names = Named::Client(id);
        throttle.check(origin.address, names, now).map_err(too_many(Limit::Failures, TOO_MANY_FAILURES))?;
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        let showing = Showing { id, secrets: &secrets, certificate: origin.certificate };
        let (client, secret) = clients.authenticate(&showing, now).map_err(|not| {
            if not == NotTheClient::Wrong {
                throttle.failed(origin.address, Some(names), now);
                metrics.failed(Kind::ClientSecret);
            }
            TokenError::from(not)
        })?;
        if !client.terms.allow(origin.address) {
            return Err(TokenError::NotFromHere { detail: not_from_here(origin.address) });
        }
        client.account.take_token(self.rate, now).map_err(too_many(Limit::Tokens, TOO_MANY_TOKENS))?;
        match secret {
            Some(index) => client.account.show(index, now),
            None => client.account.use_at(now),
        }
        Ok(client)
    }

    fn claims(&self, client_id: &str, scope: String, now: Timestamp) -> Claims {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        Claims {
            iss: self.issuer.clone(),
            sub: client_id.to_owned(),
            client_id: client_id.to_owned(),
            aud: self.audience.clone(),
            // Up, so that no token ends before the `expires_in` that its client was told.
            exp: (now.plus(self.lifetime).as_millis() + 999).div_euclid(1000),
            iat: now.as_millis().div_euclid(1000),
            nbf: None,
            jti: URL_SAFE_NO_PAD.encode(id),
            scope,
            cnf: None,
        }
    }
}

/// The scopes that the client gets: those that it asks for, else all that it has. Of a group it need not have any, for
/// there is a contract that asks for none.
fn granted(client: &Client, requested: Option<&str>) -> Result<String, TokenError> {
    let requested: BTreeSet<&str> = requested.unwrap_or_default().split_ascii_whitespace().collect();
    if let Some(foreign) = requested.iter().find(|&&scope| !client.scopes.contains(scope)) {
        return Err(foreign_scope(foreign));
    }
    let granted: Vec<&str> = if requested.is_empty() {
        client.scopes.iter().map(String::as_str).collect()
    } else {
        requested.into_iter().collect()
    };
    if granted.is_empty() && client.affiliation.groups.is_empty() {
        let detail = "the client has no scopes: the operator gives it some in its entry of [[clients]]".to_owned();
        return Err(TokenError::InvalidScope { detail });
    }
    Ok(granted.join(" "))
}

fn foreign_scope(scope: &str) -> TokenError {
    let legal = scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    let which = if legal && scope.len() <= SHOWN_SCOPE { format!("the scope `{scope}`") } else { "a scope".to_owned() };
    let detail =
        format!("{which} is not among those of this client: ask for fewer, or for none to get all that it has");
    TokenError::InvalidScope { detail }
}

/// What is said to a client that asks too often.
const TOO_MANY_TOKENS: &str = "the client calls the token endpoint more often than it may (limits.token_rate)";
