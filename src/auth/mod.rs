//! Credentials → principal: clients, their secrets and certificates, tokens, API keys. No hyper.
//!
//! [`TokenService`] gives tokens to clients that show who they are, [`Authenticator`] takes them back, and the [`Gate`]
//! lets callers in: by a token that the authenticator has looked at, or by one of the [`ApiKeys`]. They look at one set of
//! [`Clients`] and keys, which a reload replaces as a whole. The [`Caretaker`] keeps what has to outlive the process, and
//! warns of what ends. [`WebhookKeys`] are kept here too, beside the keys of tokens: with them the appliance itself shows
//! who it is. Promises:
//!
//! - A token is worth what its client has now: a client or scope that was removed is refused by the next request,
//!   also where the token has been verified before.
//! - Expiry is looked at on every request, to the second, without leeway: we issue the tokens and check them. A revoked
//!   token is refused from the next request on, also after a restart.
//! - What is said to a caller tells an unknown client or key from a wrong secret neither by text nor by time, nor by the
//!   limits that slow down guessing. A right secret from an address that has not failed is never locked out.
//! - Secrets are kept as hashes, the signing keys sealed; neither is ever shown.
//!
//! Not here: finding the credential in a request (`http`), the token endpoint's wire form (`api::root`), and what a
//! client owns (looked up by the engine from the client's id at use).

mod account;
mod api_keys;
mod bearer;
mod caretaker;
mod claims;
mod clients;
mod confirmation;
mod gate;
pub mod issuers;
pub mod keygen;
mod keys;
mod metrics;
mod principal;
mod publish;
mod report;
mod revoked;
pub mod scope;
mod settings;
mod signing_key;
mod terms;
mod throttle;
mod token;
mod token_request;
mod webhook_keys;

pub use crate::model::pattern::stands_for;
pub use account::LastUse;
pub use api_keys::{ApiKeys, PUBLIC_LEN, is_public};
pub use bearer::{Authenticator, Denied, MAX_TOKEN};
pub use caretaker::{Caretaker, CaretakerParts};
pub use clients::Clients;
pub use confirmation::Confirmation;
pub use gate::{BadToken, Gate, GateParts, Origin, Strangers, TurnedAway};
pub use keys::{PublicKeys, Rotated, Rotation, SigningKeyError, SigningKeys};
pub use metrics::AuthMetrics;
pub use principal::{Caller, Credential, Principal};
pub use publish::{Outside, PublishBounds};
pub use report::{AHEAD, CredentialKind, CredentialReport, Ending, SecretReport};
pub use revoked::{MAX_REVOKED, NotRevoked, Revocations, TokenId};
pub use settings::{ApiKeySettings, AuthLimits, AuthSettings, ClientSettings, KeptKey, KeptSecret};
pub use terms::{AllowedFrom, Terms};
pub use throttle::Throttle;
pub use token::TokenService;
pub use token_request::{IssuedToken, RevokeError, ShownClient, TokenError, TokenRequest};
pub use webhook_keys::{PublishedKey, WEBHOOK_KEY_OVERLAP, WebhookKeyError, WebhookKeys, WebhookRotation};
