//! Credentials → principal: clients, their secrets, tokens. No hyper.
//!
//! [`TokenService`] gives tokens to clients that show their secret, [`Authenticator`] takes them back. Both look at one
//! set of [`Clients`], which a reload replaces as a whole. Promises:
//!
//! - A token is worth what its client has now: a client or scope that was removed is refused by the next request,
//!   also where the token has been verified before.
//! - Expiry is looked at on every request, to the second, without leeway: we issue the tokens and check them.
//! - What is said to a caller tells an unknown client from a wrong secret neither by text nor by time.
//! - Secrets are kept as hashes, the signing key sealed; neither is ever shown.
//!
//! Not here: finding the credential in a request (`http`), the token endpoint's wire form (`api::root`), and what a
//! client owns (looked up by the engine from the client's id at use).

mod bearer;
mod claims;
mod clients;
mod confirmation;
pub mod issuers;
mod keys;
mod principal;
mod publish;
pub mod scope;
mod settings;
mod token;

pub use crate::model::pattern::stands_for;
pub use bearer::{Authenticator, Denied, MAX_TOKEN};
pub use clients::Clients;
pub use confirmation::Confirmation;
pub use keys::{SigningKeyError, SigningKeys};
pub use principal::{Caller, Credential, Principal};
pub use publish::PublishBounds;
pub use settings::{AuthSettings, ClientSettings};
pub use token::{IssuedToken, TokenError, TokenRequest, TokenService};
