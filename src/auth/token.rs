//! The built-in token endpoint's decisions: client credentials (RFC 6749, 4.4) → a signed access token (RFC 9068).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::Claims;
use super::clients::{Client, Clients};
use super::keys::SigningKeys;
use super::settings::AuthSettings;
use crate::base::clock::Timestamp;
use crate::base::random::Random;
use crate::base::secret::{ExposeSecret, SecretString};

/// The longest part of a refused scope that is shown.
const SHOWN_SCOPE: usize = 100;

/// What a client asks for, and who it says it is.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// `grant_type`
    pub grant_type: Option<String>,
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// `scope`: names separated by blanks; without it the client gets all its scopes.
    pub scope: Option<String>,
}

/// A token that has been given out.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token itself, a JWT.
    pub access_token: SecretString,
    /// How long it is good for.
    pub expires_in: Duration,
    /// Its scopes, separated by blanks.
    pub scope: String,
}

/// Why no token was given out; the texts are for the caller, and keep to the characters of RFC 6749, 5.2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Something is missing.
    #[error("the parameter `grant_type` is missing: send grant_type=client_credentials")]
    NoGrantType,
    /// The grant is one that we do not know.
    #[error("only the grant type client_credentials is offered here")]
    UnsupportedGrantType,
    /// Not a client of ours, or not its secret: which of the two is not told.
    #[error("the client is not known, or its secret is wrong")]
    InvalidClient,
    /// A scope that is not the client's, or no scope at all.
    #[error("{detail}")]
    InvalidScope {
        /// Which, and what to do.
        detail: String,
    },
    /// Signing failed; the reason is for the log.
    #[error("the token could not be signed: {reason}")]
    NotSigned {
        /// What the crypto provider said.
        reason: String,
    },
}

/// Gives out tokens.
pub struct TokenService {
    issuer: String,
    audience: String,
    lifetime: Duration,
    keys: Arc<SigningKeys>,
    clients: Arc<Clients>,
    random: Arc<dyn Random>,
}

impl TokenService {
    /// The service for `clients`; those in `settings` are not looked at.
    #[must_use]
    pub fn new(
        settings: &AuthSettings,
        keys: Arc<SigningKeys>,
        clients: Arc<Clients>,
        random: Arc<dyn Random>,
    ) -> Self {
        let AuthSettings { audience, issuer, token_lifetime, clients: _ } = settings;
        Self { issuer: issuer.clone(), audience: audience.clone(), lifetime: *token_lifetime, keys, clients, random }
    }

    /// Gives the client a token, or says why not. Who does not show a right secret learns nothing else.
    pub fn issue(&self, request: &TokenRequest, now: Timestamp) -> Result<IssuedToken, TokenError> {
        let clients = self.clients.current();
        let secret = request.client_secret.expose_secret().as_bytes();
        let client = clients.authenticate(&request.client_id, secret).ok_or(TokenError::InvalidClient)?;
        match request.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::NoGrantType),
        }
        let scope = granted(client, request.scope.as_deref())?;
        let claims = self.claims(&request.client_id, scope.clone(), now);
        let token = self.keys.sign(&claims).map_err(|e| TokenError::NotSigned { reason: e.to_string() })?;
        Ok(IssuedToken { access_token: token.into(), expires_in: self.lifetime, scope })
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

/// The scopes that the client gets: those that it asks for, else all that it has.
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
    if granted.is_empty() {
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
