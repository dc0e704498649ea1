//! What the token endpoint says of itself.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::*;

async fn page(house: &House, path: &str) -> (Response, Value) {
    let route = house.root.routes().iter().position(|route| route.path == path).unwrap();
    let response = house.root.call(route, request(&[], "")).await;
    let body = serde_json::from_slice(&response.body).unwrap();
    (response, body)
}

#[tokio::test]
async fn the_metadata_are_below_the_public_url_and_found_in_both_places() {
    let house = house();
    let (response, found) = page(&house, "/.well-known/oauth-authorization-server").await;
    let expected = json!({
        "issuer": "https://tidings.example/base",
        "token_endpoint": "https://tidings.example/base/oauth2/token",
        "jwks_uri": "https://tidings.example/base/oauth2/jwks",
        "revocation_endpoint": "https://tidings.example/base/oauth2/revoke",
        "scopes_supported": crate::auth::scope::ALL,
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "tls_client_certificate_bound_access_tokens": false,
    });
    assert_eq!((response.status, found), (StatusCode::OK, expected.clone()));
    assert_eq!(response.headers["content-type"], "application/json");
    assert_eq!(response.headers["cache-control"], "public, max-age=3600");
    assert_eq!(page(&house, "/.well-known/oauth-authorization-server/base").await.1, expected);
}

#[tokio::test]
async fn certificates_are_offered_where_a_client_has_one() {
    let house = tuned_house(|settings| settings.clients[0].certificates = vec![[1; 32]]);
    let (_, found) = page(&house, "/.well-known/oauth-authorization-server").await;
    assert_eq!(found["token_endpoint_auth_methods_supported"][2], "tls_client_auth");
    assert_eq!(found["tls_client_certificate_bound_access_tokens"], true);
}

#[tokio::test]
async fn tokens_can_be_checked_with_the_public_keys_alone() {
    let house = house();
    let asked = request(&[("content-type", FORM), ("authorization", &*basic("crm:s3cret"))], GRANT);
    let answer: Value = serde_json::from_slice(&house.root.call(0, asked).await.body).unwrap();
    let (response, keys) = page(&house, "/oauth2/jwks").await;
    assert_eq!(response.headers["content-type"], "application/jwk-set+json");
    assert_eq!(response.headers["cache-control"], "public, max-age=300");
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let jwk: &Jwk = keys.find(&house.keys.key_id()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["https://tidings.example/base"]);
    validation.set_audience(&["tidings"]);
    validation.validate_exp = false;
    let token = answer["access_token"].as_str().unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap();
    assert_eq!(claims.claims["client_id"], "crm");
    assert_eq!(keys.keys.len(), 1);
}
