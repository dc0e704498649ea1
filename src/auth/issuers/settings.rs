//! `[[auth.issuers]]`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::algorithm::Algorithm;
use super::key_set::KeySet;
use crate::base::outbound::Destination;
use crate::model::pattern::Patterns;

/// One `[[auth.issuers]]` entry: whose tokens are taken, and the most that they are worth.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// `iss` of its tokens, compared byte for byte (RFC 7519, 4.1.1).
    pub issuer: String,
    /// A token must name one of these as an `aud`.
    pub audiences: BTreeSet<String>,
    /// Where its public keys come from.
    pub keys: KeySource,
    /// The clients that its tokens may speak for.
    pub client_ids: Patterns,
    /// The scopes that its tokens may have; others in them are worth nothing.
    pub scopes: Patterns,
    /// Which claims say what.
    pub claims: ClaimNames,
    /// The signature algorithms that it uses.
    pub algorithms: Vec<Algorithm>,
    /// The `typ` of its access tokens, in lower case and without `application/`. With `jwt` in it nothing but `aud` tells
    /// an access token from an ID token (RFC 8725, 3.11).
    pub token_types: BTreeSet<String>,
    /// How far its clock and ours may differ.
    pub clock_skew: Duration,
    /// The contracts that its tokens may call; `None` for all.
    pub contracts: Option<BTreeSet<String>>,
    /// The owners that its tokens may claim, others are worth nothing; `None` for all that they claim.
    pub owners: Option<Patterns>,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file, read at the start.
    File(Arc<KeySet>),
    /// A URL.
    Url {
        /// `https`, or a loopback address.
        url: Destination,
        /// How often it is fetched.
        refresh: Duration,
    },
}

/// The names of the claims that matter; each is a member of the token's body itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Which client has the token; text.
    pub client_id: String,
    /// Its scopes: text separated by blanks, or an array of texts.
    pub scope: String,
    /// Parties that it owns: text, or an array of texts.
    pub parties: Option<String>,
    /// The subscriber that it is.
    pub subscriber: Option<String>,
    /// Groups that it belongs to: text, or an array of texts.
    pub group: Option<String>,
    /// The organisation that it belongs to: text.
    pub organisation: Option<String>,
}

impl Default for ClaimNames {
    /// What RFC 9068 (2.2) and RFC 8693 (4.2) call them; owners have no standard name, so none are taken unasked.
    fn default() -> Self {
        let (client_id, scope) = ("client_id".to_owned(), "scope".to_owned());
        Self { client_id, scope, parties: None, subscriber: None, group: None, organisation: None }
    }
}
