//! What a client asks the token endpoint for, and why it does not get it.

use std::time::Duration;

use super::clients::NotTheClient;
use super::gate::Origin;
use crate::base::secret::SecretString;
use crate::store::StoreError;

/// Who a client says it is, and how it shows that.
#[derive(Clone, Debug)]
pub struct ShownClient {
    /// Its id.
    pub id: String,
    /// Its secret in each of the ways in which it can be read; empty where it shows a certificate alone.
    pub secrets: Vec<SecretString>,
    /// Where it calls from.
    pub origin: Origin,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Who asks.
    pub client: ShownClient,
    /// `grant_type`
    pub grant_type: Option<String>,
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
    /// Not a client of ours, or not what it has to show: which of the two is not told.
    #[error("the client is not known, or its secret is wrong")]
    InvalidClient,
    /// The secret was right once.
    #[error("the secret of the client has ended (not_after): ask the operator for the new one")]
    SecretEnded,
    /// The certificate that the client needs besides its secret is not there.
    #[error("the client has to show the certificate that it is bound to on its TLS connection")]
    OtherCertificate,
    /// The client is known, but not enabled.
    #[error("the client is not enabled: ask the operator")]
    Disabled,
    /// The client is known, but not from here.
    #[error("{detail}")]
    NotFromHere {
        /// From where, and what to do.
        detail: String,
    },
    /// There were too many calls, or too many failures.
    #[error("{detail}")]
    TooMany {
        /// Of what.
        detail: &'static str,
        /// How long to wait.
        wait: Duration,
    },
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

/// Why a token was not revoked; the texts are for the caller, except that of the store.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The client does not show who it is, or may not ask now.
    #[error(transparent)]
    Client(#[from] TokenError),
    /// None is named.
    #[error("the parameter `token` is missing")]
    NoToken,
    /// The token is another client's.
    #[error("the token was issued to another client")]
    ForeignToken,
    /// Too many are revoked.
    #[error("too many tokens are revoked already; this one is still good")]
    Full {
        /// How long until there is room again.
        wait: Duration,
    },
    /// It cannot be kept.
    #[error(transparent)]
    Store(StoreError),
}

impl From<NotTheClient> for TokenError {
    fn from(not: NotTheClient) -> Self {
        match not {
            NotTheClient::Wrong => Self::InvalidClient,
            NotTheClient::Ended => Self::SecretEnded,
            NotTheClient::OtherCertificate => Self::OtherCertificate,
            NotTheClient::Disabled => Self::Disabled,
        }
    }
}

impl ShownClient {
    /// The client `id` with this secret, on a unix socket.
    #[must_use]
    pub fn with_secret(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secrets: vec![secret.into()], origin: Origin::default() }
    }
}

impl TokenRequest {
    /// What the client `id` with this secret sends for a token with all its scopes.
    #[must_use]
    pub fn with_secret(id: &str, secret: &str) -> Self {
        let client = ShownClient::with_secret(id, secret);
        Self { client, grant_type: Some("client_credentials".to_owned()), scope: None }
    }
}
