//! Trusted issuers: tokens that somebody else has signed, and the most that they are worth here (`[[auth.issuers]]`).
//!
//! [`TrustedIssuers`] takes a token and says who calls. Promises:
//!
//! - A token is worth nothing beyond its entry: the clients, scopes, owners and contracts that the entry allows are cut
//!   out of what it claims, and its issuer, audience, algorithm and type must be the entry's.
//! - The algorithm comes from the entry and must fit the key; `none` and HMAC cannot be written down (RFC 8725, 3.1).
//!   The key comes from the issuer's set, never from the token.
//! - Expiry, the certificate that it is bound to (RFC 8705), the entry and the issuer's keys are looked at on every
//!   request, also where the signature was verified before.
//! - Keys from a URL are fetched by one task: bounded in size and time, at most once a minute for tokens with unknown
//!   keys, and used as they were while the issuer is down. A start does not wait for them.
//!
//! - `settings`, `algorithm`: what an entry says.
//! - `key_set`, `key`: JWK sets (RFC 7517) and what of them is used.
//! - `remote`: keys from a URL.
//! - `token`, `grant`: a JWT (RFC 7515, 7519, 9068), and what it is worth.
//! - `trusted`: all of it together, and the memory of verified tokens.
//!
//! Not here: opaque tokens and introspection, and discovery of the JWKS URL from the issuer's metadata: the file names
//! what is connected to.

mod algorithm;
mod denied;
mod grant;
mod key;
mod key_set;
mod metrics;
mod remote;
mod settings;
mod token;
mod trusted;

pub use algorithm::Algorithm;
pub use denied::ForeignDenied;
pub use key_set::{KeySet, KeySetError, MAX_KEY_SET};
pub use remote::{Patience, REFETCH, fetch_once};
pub use settings::{ClaimNames, IssuerSettings, KeySource};
pub use trusted::TrustedIssuers;
