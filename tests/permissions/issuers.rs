//! External issuers, each bounded to something, and tokens that are forged.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::signer::{Signer, encoded, key_set, message};

/// The contracts that ask for a credential: each has an issuer whose tokens are good for it alone.
pub(crate) const CONTRACTS: [&str; 7] =
    ["polling", "events", "registrations", "management", "recipients", "trigger", "admin"];

/// The one scope that the tokens of [`Issuers::narrow`] are worth. No route asks for it.
pub(crate) const POINTLESS: &str = "nothing:here";

/// What the claims of a token say that differ from one to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// When, in seconds since 1970; the token ends five minutes later.
    pub(crate) at: i64,
    pub(crate) audience: &'a str,
    pub(crate) scope: &'a str,
}

/// The issuers, which share a key.
pub(crate) struct Issuers {
    signer: Signer,
    thief: Signer,
}

/// The issuer, and its one client, whose tokens are good for `contract` alone.
pub(crate) fn only(contract: &str) -> String {
    format!("only-{contract}")
}

/// Each client is a group and a subscriber of its own.
const GROUPED: &str = "claims = { parties = \"partyId\", group = \"sub\", subscriber = \"sub\" }";

/// The one whose tokens are good for every contract, but have no scope that a route asks for.
pub(crate) const NARROW: &str = "narrow";

impl Issuers {
    pub(crate) fn new() -> Self {
        Self { signer: Signer::new("ES256"), thief: Signer::new("ES256") }
    }

    /// Their entries, as they stand in the configuration; their keys go to a file in `folder`.
    pub(crate) fn entries(&self, folder: &Path, scopes: &[&str]) -> String {
        let keys = folder.join("issuers.jwks");
        std::fs::write(&keys, key_set(&[self.signer.jwk("k")]).to_string()).unwrap();
        let entry = |name: &str, scopes: &[&str], more: String| {
            format!(
                "[[auth.issuers]]\nissuer = \"{}\"\njwks = {{ file = \"{}\" }}\nclient_ids = [\"{name}\"]\n\
                 scopes = {scopes:?}\n\
                 {more}\n",
                url(name),
                keys.display()
            )
        };
        let bound =
            CONTRACTS.map(|contract| entry(&only(contract), scopes, format!("contracts = [{contract:?}]\n{GROUPED}")));
        bound.concat() + &entry(NARROW, &[POINTLESS], GROUPED.to_owned())
    }

    /// A token of the issuer `name` for its client.
    pub(crate) fn token(&self, name: &str, said: Said<'_>) -> String {
        self.signer.sign(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" }), &claims(name, said))
    }

    /// The same, signed by somebody else.
    pub(crate) fn forged(&self, name: &str, said: Said<'_>) -> String {
        self.thief.sign(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" }), &claims(name, said))
    }

    /// A token that says what `token` says, signed by somebody else.
    pub(crate) fn forged_as(&self, token: &str) -> String {
        let (header, claims, _) = parts(token);
        self.thief.sign(&header, &claims)
    }
}

/// `token` without a signature, saying so.
pub(crate) fn unsigned(token: &str) -> String {
    let (mut header, claims, _) = parts(token);
    header["alg"] = json!("none");
    message(&header, &claims) + "."
}

/// `token` with this scope, and the signature that it had.
pub(crate) fn altered(token: &str, scope: &str) -> String {
    let (header, mut claims, signature) = parts(token);
    assert_ne!(claims["scope"], scope);
    claims["scope"] = json!(scope);
    format!("{}.{signature}", message(&header, &claims))
}

fn url(name: &str) -> String {
    format!("https://{name}.example/")
}

fn claims(name: &str, said: Said<'_>) -> Value {
    let Said { at, audience, scope } = said;
    json!({
        "iss": url(name), "aud": audience, "sub": name, "client_id": name, "jti": encoded(scope.as_bytes()),
        "iat": at, "exp": at + 300, "scope": scope, "partyId": name,
    })
}

/// Header, claims and signature.
fn parts(token: &str) -> (Value, Value, &str) {
    let mut parts = token.split('.');
    let mut json = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    let (header, claims) = (json(), json());
    (header, claims, parts.next().unwrap())
}
