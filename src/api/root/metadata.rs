//! What the token endpoint says of itself: metadata (RFC 8414) and public keys (RFC 7517).

use bytes::Bytes;
use http::Uri;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::settings::RootSettings;
use crate::auth::{PublicKeys, PublishedKey, scope};
use crate::base::clock::Timestamp;
use crate::http::contract::Response;

/// Where the metadata are (RFC 8414, 3).
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
/// Where tokens are revoked.
pub(super) const REVOCATION_PATH: &str = "/oauth2/revoke";
/// Where the public keys are.
pub(super) const KEYS_PATH: &str = "/oauth2/jwks";

/// Where the public keys of webhooks are.
pub(super) const WEBHOOK_KEYS_PATH: &str = "/.well-known/webhook-keys";

/// How long metadata may be kept.
const METADATA_AGE: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// How long keys may be kept. A new key signs at once: who checks tokens itself looks again for a `kid` that it does not
/// know.
const KEYS_AGE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What the token endpoint says of itself (RFC 8414, 2). Every path is below `server.public_url`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Metadata {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    #[schema(value_type = Vec<String>)]
    scopes_supported: &'static [&'static str],
    /// Required, though nothing is offered that needs one.
    #[schema(value_type = Vec<String>, max_items = 0)]
    response_types_supported: [&'static str; 0],
    #[schema(value_type = Vec<String>)]
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// RFC 8705, 3.3.
    tls_client_certificate_bound_access_tokens: bool,
}

impl Metadata {
    pub(super) fn new(settings: &RootSettings) -> Self {
        let RootSettings { token_paths, public_url, certificates } = settings;
        let below = |path: &str| format!("{public_url}{path}");
        let mut methods = vec!["client_secret_basic", "client_secret_post"];
        if *certificates {
            methods.push("tls_client_auth");
        }
        Self {
            issuer: public_url.clone(),
            token_endpoint: below(token_paths.first().map_or("/oauth2/token", String::as_str)),
            jwks_uri: below(KEYS_PATH),
            revocation_endpoint: below(REVOCATION_PATH),
            scopes_supported: scope::ALL,
            response_types_supported: [],
            grant_types_supported: ["client_credentials"],
            token_endpoint_auth_methods_supported: methods.clone(),
            revocation_endpoint_auth_methods_supported: methods,
            tls_client_certificate_bound_access_tokens: *certificates,
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, lists of them and a truth value are JSON")
    }
}

/// What [`keys`] answers, for the root's document (RFC 7517, 5).
#[derive(ToSchema)]
#[schema(as = Keys)]
#[expect(dead_code, reason = "only its schema is used: the keys are written by who knows them")]
pub(super) struct WireKeys {
    /// The keys in use, the one that signs first.
    keys: Vec<Key>,
}

/// A public key (RFC 7517, 4; RFC 7518, 6.2.1).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the keys are written by who knows them")]
struct Key {
    #[schema(pattern = "^EC$")]
    kty: String,
    #[schema(pattern = "^P-256$")]
    crv: String,
    x: String,
    y: String,
    #[schema(pattern = "^sig$")]
    r#use: String,
    #[schema(pattern = "^ES256$")]
    alg: String,
    kid: String,
}

/// The keys that sign webhooks where an endpoint wants `v1a` signatures (Standard Webhooks 1.0.0), the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookKeySet {
    keys: Vec<WebhookKey>,
}

/// A public Ed25519 key.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookKey {
    /// `whpk_` and the key's 32 bytes in base64.
    #[schema(pattern = "^whpk_[A-Za-z0-9+/]{43}=$")]
    key: String,
    /// Until when it signs; absent for the newest, which has no end yet.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl WebhookKeySet {
    pub(super) fn of(keys: Vec<PublishedKey>) -> Self {
        let key = |PublishedKey { key, until }| WebhookKey { key, until: until.map(Timestamp::to_rfc3339_seconds) };
        Self { keys: keys.into_iter().map(key).collect() }
    }
}

/// The path at which RFC 8414, 3.1 looks for the metadata of an issuer whose URL has a path, in matchit's form: the
/// well-known part stands before it. A proxy that serves us below that path has to hand it on as it is.
pub(super) fn inserted_path(public_url: &str) -> Option<String> {
    let uri: Uri = public_url.parse().ok()?;
    let path = uri.path().trim_end_matches('/');
    let literal = path.replace('{', "{{").replace('}', "}}");
    (!path.is_empty()).then(|| format!("{WELL_KNOWN}{literal}"))
}

/// The answer with the metadata.
pub(super) fn answer(metadata: &str) -> Response {
    Response::json(StatusCode::OK, metadata.to_owned()).header(CACHE_CONTROL, METADATA_AGE)
}

/// The answer with the public keys.
pub(super) fn keys(keys: &PublicKeys) -> Response {
    key_set(serde_json::to_vec(keys).expect("lists of texts are JSON"))
}

/// The same with a body that is JSON already.
pub(super) fn key_set(body: impl Into<Bytes>) -> Response {
    Response::with_body(StatusCode::OK, "application/jwk-set+json", body).header(CACHE_CONTROL, KEYS_AGE)
}

/// The answer with the public keys of webhooks.
pub(super) fn webhook_keys(keys: &WebhookKeySet) -> Response {
    let body = serde_json::to_vec(keys).expect("lists of texts are JSON");
    Response::json(StatusCode::OK, body).header(CACHE_CONTROL, KEYS_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_before_the_path() {
        for (url, path) in [
            ("https://h.example/base", Some("/.well-known/oauth-authorization-server/base")),
            ("https://h.example/a/b", Some("/.well-known/oauth-authorization-server/a/b")),
            ("https://h.example", None),
            ("http://127.0.0.1:8420", None),
        ] {
            assert_eq!(inserted_path(url).as_deref(), path, "{url}");
        }
    }
}
