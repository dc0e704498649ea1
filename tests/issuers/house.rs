//! One appliance's trust in one issuer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::auth::Principal;
use tidings::auth::issuers::{Algorithm, ClaimNames, ForeignDenied, IssuerSettings, KeySet, KeySource, TrustedIssuers};
use tidings::base::clock::{ManualClock, Timestamp};
use tidings::base::outbound::{Outbound, TrustSettings};
use tidings::model::pattern::Patterns;

use crate::signer::{Signer, key_set};

pub(crate) const ISSUER: &str = "https://login.example.com/";
pub(crate) const SKEW: Duration = Duration::from_mins(1);
/// 2027-01-15T08:00:00Z in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub(crate) fn patterns(of: &[&str]) -> Patterns {
    Patterns::new(of.iter().map(|&pattern| pattern.to_owned()))
}

pub(crate) fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|&name| name.to_owned()).collect()
}

/// An entry as somebody would write it, with every bound but that of contracts.
pub(crate) fn entry(keys: KeySource) -> IssuerSettings {
    IssuerSettings {
        issuer: ISSUER.to_owned(),
        audiences: names(&["tidings", "tidings-test"]),
        keys,
        client_ids: patterns(&["partner-*", "solo"]),
        scopes: patterns(&["notification:consent:*", "events:publish"]),
        claims: ClaimNames {
            parties: Some("partyId".to_owned()),
            subscriber: Some("sub".to_owned()),
            group: Some("groups".to_owned()),
            ..ClaimNames::default()
        },
        algorithms: Algorithm::DEFAULT.into(),
        token_types: names(&["at+jwt"]),
        clock_skew: SKEW,
        contracts: None,
        owners: Some(patterns(&["10*", "acme"])),
    }
}

pub(crate) fn of_file(keys: &[Value]) -> KeySource {
    KeySource::File(Arc::new(KeySet::parse(key_set(keys).to_string().as_bytes()).unwrap()))
}

pub(crate) fn outbound() -> Arc<Outbound> {
    Arc::new(Outbound::new(TrustSettings { system: false, certificates: Vec::new() }))
}

/// What the issuer puts into a token for `partner-a`.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "tidings", "sub": "1002", "client_id": "partner-a", "jti": "1",
        "iat": NOW, "exp": NOW + 300, "scope": "notification:consent:consumer events:publish",
        "partyId": ["1001"], "groups": "acme",
    })
}

pub(crate) fn header(algorithm: &str) -> Value {
    json!({ "alg": algorithm, "typ": "at+jwt", "kid": "k" })
}

pub(crate) fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

pub(crate) fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member);
    object
}

/// An appliance that trusts one ES256 key, known as `k`, from a file.
pub(crate) struct House {
    pub(crate) signer: Signer,
    pub(crate) clock: ManualClock,
    pub(crate) issuers: TrustedIssuers,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let signer = Signer::new("ES256");
        let mut settings = entry(of_file(&[signer.jwk("k")]));
        change(&mut settings);
        let clock = ManualClock::new(at(NOW));
        let issuers = TrustedIssuers::new(vec![settings], outbound(), Arc::new(clock.clone()));
        Self { signer, clock, issuers }
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signer.sign(&header("ES256"), claims)
    }

    /// What comes of a token that is from the issuer.
    pub(crate) async fn take(&self, token: &str) -> Result<Principal, ForeignDenied> {
        self.issuers.bearer(token, None).await.expect("the token is from the issuer")
    }

    /// What comes of a token with these claims.
    pub(crate) async fn claim(&self, claims: &Value) -> Result<Principal, ForeignDenied> {
        self.take(&self.token(claims)).await
    }
}
