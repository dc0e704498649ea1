//! The root as the server calls it.

mod ends;
mod limits;
mod metadata;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::api::problem::Problem;
use crate::auth::{
    AuthSettings, Authenticator, ClientSettings, Gate, GateParts, SigningKeys, TokenService, WebhookKeys,
};
use crate::base::clock::{Clock, ManualClock, Timestamp};
use crate::base::random::SeededRandomness;
use crate::base::secret::SecretHash;
use crate::http::contract::{Access, Contract, Refusal, Request, Response};

const FORM: &str = "application/x-www-form-urlencoded";
/// `client_credentials`, and nothing else.
const GRANT: &str = "grant_type=client_credentials";
/// A secret with everything in it that a form has to encode.
const ODD: &str = "a+b %:&=é\"";

struct House {
    root: RootContract,
    authenticator: Authenticator,
    gate: Gate,
    keys: Arc<SigningKeys>,
    clock: ManualClock,
}

/// A house with the clients `crm` (secret `s3cret`, scopes `a` and `b`) and `odd one` (secret [`ODD`]).
fn house() -> House {
    tuned_house(|_| {})
}

/// The same with other settings.
fn tuned_house(tune: impl FnOnce(&mut AuthSettings)) -> House {
    let client = |id: &str, secret: &str| ClientSettings {
        secrets: vec![SecretHash::of(secret.as_bytes()).into()],
        scopes: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        ..ClientSettings::new(id)
    };
    let clients = vec![client("crm", "s3cret"), client("odd one", ODD), client("literal", "a+b%41%ff")];
    let mut settings = AuthSettings::new("https://tidings.example/base", clients);
    settings.token_lifetime = Duration::from_mins(30);
    tune(&mut settings);
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let keys = Arc::new(SigningKeys::from_pkcs8(key.as_ref()).unwrap());
    let gate = GateParts::in_memory(&settings);
    let random = Arc::new(SeededRandomness::new(1));
    let webhook_keys = Arc::new(WebhookKeys::in_memory(&*random));
    let tokens = Arc::new(TokenService::new(&settings, Arc::clone(&keys), gate.clone(), random));
    let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let root = RootSettings {
        token_paths: vec!["/oauth2/token".into(), "/oauth/v1/token".into()],
        public_url: settings.issuer.clone(),
        certificates: settings.clients.iter().any(|client| !client.certificates.is_empty()),
    };
    House {
        root: RootContract::new(root, tokens, webhook_keys, Arc::new(clock.clone())),
        authenticator: Authenticator::new(&settings, Arc::clone(&keys), Arc::clone(&gate.clients)),
        gate: Gate::new(gate),
        keys,
        clock,
    }
}

fn request(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect();
    Request {
        id: "r-1".into(),
        peer: None,
        address: None,
        certificate: None,
        path: "/oauth2/token".into(),
        params: Vec::new(),
        query: String::new(),
        headers,
        principal: None,
        standing: crate::http::Standing::default(),
        body: body.into(),
    }
}

/// Asks the token endpoint; gives the answer and its body.
async fn ask(headers: &[(&str, &str)], body: impl Into<Bytes>) -> (Response, Value) {
    let response = house().root.call(0, request(headers, body)).await;
    assert_eq!(response.headers["cache-control"], "no-store");
    assert_eq!(response.headers["pragma"], "no-cache");
    assert_eq!(response.headers["content-type"], "application/json");
    let body = serde_json::from_slice(&response.body).unwrap();
    (response, body)
}

async fn ask_form(body: &str) -> (Response, Value) {
    ask(&[("content-type", FORM)], body.to_owned()).await
}

async fn ask_basic(credentials: &str, body: &str) -> (Response, Value) {
    ask(&[("content-type", FORM), ("authorization", credentials)], body.to_owned()).await
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// That the answer is this error of RFC 6749, in the characters that it may have; gives the description.
fn refused((response, body): (Response, Value), status: u16, error: &str) -> String {
    let description = body["error_description"].as_str().unwrap().to_owned();
    assert_eq!((response.status.as_u16(), body["error"].as_str().unwrap()), (status, error), "{description}");
    assert_eq!(body.as_object().unwrap().len(), 2);
    assert!(description.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description}");
    let challenge = response.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
    assert_eq!(challenge, (status == 401).then_some("Basic realm=\"tidings\""));
    description
}

fn granted((response, body): &(Response, Value)) {
    assert_eq!(response.status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn a_token_that_is_answered_is_good() {
    let house = house();
    for route in 0..2 {
        let headers = [("content-type", FORM), ("authorization", &*basic("crm:s3cret"))];
        let response = house.root.call(route, request(&headers, format!("{GRANT}&scope=b"))).await;
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        let token = body["access_token"].as_str().unwrap();
        let rest = json!({"access_token": token, "token_type": "Bearer", "expires_in": 1800, "scope": "b"});
        assert_eq!((response.status, &body), (StatusCode::OK, &rest));
        let principal = house.authenticator.bearer(token, house.clock.now()).unwrap();
        assert!(principal.has("b") && !principal.has("a"));
        house.clock.advance(Duration::from_mins(30));
        assert!(house.authenticator.bearer(token, house.clock.now()).is_err());
    }
}

#[tokio::test]
async fn a_client_shows_its_secret_in_any_of_the_published_ways() {
    let post = format!("{GRANT}&client_id=crm&client_secret=s3cret");
    for content_type in [FORM, "Application/X-WWW-Form-URLEncoded; charset=UTF-8", "application/x-www-form-urlencoded;"]
    {
        granted(&ask(&[("content-type", content_type)], post.clone()).await);
    }
    let unpadded = format!("basic {}", STANDARD_NO_PAD.encode("crm:s3cret"));
    for credentials in [&basic("crm:s3cret"), &unpadded, &basic("%63rm:s3cret")] {
        granted(&ask_basic(credentials, GRANT).await);
    }
    // The id may be in the body besides, if it is the same.
    granted(&ask_basic(&basic("crm:s3cret"), &format!("{GRANT}&client_id=crm")).await);
}

#[tokio::test]
async fn ids_and_secrets_may_have_any_character() {
    let encoded = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", "odd one")
        .append_pair("client_secret", ODD)
        .finish();
    granted(&ask_form(&encoded).await);
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    granted(&ask_basic(&basic(&format!("{}:{}", encode("odd one"), encode(ODD))), GRANT).await);
    // As curl sends it; `%:&` is no escape, `a+b` and `%41` could be.
    granted(&ask_basic(&basic(&format!("odd one:{ODD}")), GRANT).await);
    granted(&ask_basic(&basic("literal:a+b%41%ff"), GRANT).await);
    granted(&ask_basic(&basic("literal:a%2Bb%2541%25ff"), GRANT).await);
    let body = json!({"grant_type": "client_credentials", "client_id": "odd one", "client_secret": ODD});
    granted(&ask(&[("content-type", "application/json")], body.to_string()).await);
}

#[tokio::test]
async fn a_json_body_says_the_same_as_a_form() {
    let headers = [("content-type", "application/json; charset=utf-8")];
    let ask = |body: &str| ask(&headers, body.to_owned());
    let client = r#""client_id":"crm","client_secret":"s3cret""#;
    let (response, body) =
        ask(&format!(r#"{{"grant_type":"client_credentials",{client},"scope":"a","other":{{"x":[1]}}}}"#)).await;
    assert_eq!((response.status, body["scope"].as_str()), (StatusCode::OK, Some("a")));
    let (response, body) = ask(&format!(r#"{{"grant_type":"client_credentials",{client},"scope":null}}"#)).await;
    assert_eq!((response.status, body["scope"].as_str()), (StatusCode::OK, Some("a b")));
    for (bad, says) in [
        (format!(r#"{{"grant_type":"client_credentials",{client},{client}}}"#), "'client_id' is there twice"),
        (format!(r#"{{"grant_type":1,{client}}}"#), "`grant_type` is not a string"),
        (format!(r#"{{"grant_type":"client_credentials",{client},"scope":["a"]}}"#), "`scope` is not a string"),
        ("[]".to_owned(), "no object"),
        ("\"x\"".to_owned(), "no object"),
        ("{".to_owned(), "not valid JSON"),
        (String::new(), "not valid JSON"),
        (format!("{}{}", "[".repeat(65), "]".repeat(65)), "nested deeper"),
    ] {
        let description = refused(ask(&bad).await, 400, "invalid_request");
        assert!(description.contains(says), "{bad}: {description}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_passed_over_and_what_is_empty_is_absent() {
    let client = "client_id=crm&client_secret=s3cret";
    for more in ["resource=x&resource=y", "scope=", "scope", "&&", "=", "a=%26scope%3Dc", "SCOPE=c"] {
        let (response, body) = ask_form(&format!("{GRANT}&{client}&{more}")).await;
        assert_eq!((response.status, body["scope"].as_str()), (StatusCode::OK, Some("a b")), "{more}: {body}");
    }
    refused(ask_form(&format!("grant_type=&{client}")).await, 400, "invalid_request");
    refused(ask_form(&format!("{GRANT}&client_id=crm&client_secret=")).await, 401, "invalid_client");
}

#[tokio::test]
async fn repeated_and_broken_parameters_are_refused() {
    let client = "client_id=crm&client_secret=s3cret";
    for name in ["grant_type", "client_id", "client_secret", "scope"] {
        let body = format!("{GRANT}&{client}&scope=a&{name}=");
        let description = refused(ask_form(&body).await, 400, "invalid_request");
        assert!(description.contains(&format!("`{name}` is there twice")), "{description}");
    }
    refused(ask_form(&format!("{GRANT}&{client}&scope=%ff")).await, 400, "invalid_request");
    refused(ask_form(&format!("{GRANT}&{client}&%ff=1")).await, 400, "invalid_request");
    let invalid = [GRANT.as_bytes(), b"&scope=\xff"].concat();
    refused(ask(&[("content-type", FORM)], invalid).await, 400, "invalid_request");
}

#[tokio::test]
async fn other_bodies_are_refused_with_what_is_taken() {
    let body = format!("{GRANT}&client_id=crm&client_secret=s3cret");
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "", "application/x-www-form-urlencodedx"] {
        let answer = ask(&[("content-type", content_type)], body.clone()).await;
        assert!(refused(answer, 400, "invalid_request").contains(FORM), "{content_type}");
    }
    assert!(refused(ask(&[], body).await, 400, "invalid_request").contains(FORM));
}

#[tokio::test]
async fn two_ways_to_authenticate_at_once_are_refused() {
    let crm = basic("crm:s3cret");
    refused(ask_basic(&crm, &format!("{GRANT}&client_id=crm&client_secret=s3cret")).await, 400, "invalid_request");
    refused(ask_basic(&crm, &format!("{GRANT}&client_secret=s3cret")).await, 400, "invalid_request");
    refused(ask_basic(&crm, &format!("{GRANT}&client_id=other")).await, 400, "invalid_request");
    let mut request = request(&[("content-type", FORM), ("authorization", &crm)], GRANT);
    request.headers.append("authorization", crm.parse().unwrap());
    let response = house().root.call(0, request).await;
    let body = serde_json::from_slice(&response.body).unwrap();
    refused((response, body), 400, "invalid_request");
}

#[tokio::test]
async fn unknown_clients_and_wrong_secrets_answer_alike() {
    let wrong = ask_basic(&basic("crm:wrong"), GRANT).await;
    let unknown = ask_basic(&basic("nobody:s3cret"), GRANT).await;
    assert_eq!(wrong.0.body, unknown.0.body);
    assert_eq!(wrong.0.headers, unknown.0.headers);
    refused(wrong, 401, "invalid_client");
    refused(unknown, 401, "invalid_client");
    refused(ask_form(&format!("{GRANT}&client_id=crm&client_secret=wrong")).await, 401, "invalid_client");
}

#[tokio::test]
async fn who_does_not_authenticate_is_told_how() {
    for body in [GRANT, &format!("{GRANT}&client_id=crm"), &format!("{GRANT}&client_secret=s3cret")] {
        assert!(refused(ask_form(body).await, 401, "invalid_client").contains("client_secret"), "{body}");
    }
    let raw = |bytes: &[u8]| format!("Basic {}", STANDARD.encode(bytes));
    for credentials in
        ["Basic", "Basic ", "Basic !", "Bearer x", "Basiccrm", &basic("crm"), &raw(b"crm:\xff"), &basic("%ff:s3cret")]
    {
        let description = refused(ask_basic(credentials, GRANT).await, 401, "invalid_client");
        assert!(description.contains("Base64"), "{credentials}: {description}");
    }
}

#[tokio::test]
async fn grants_and_scopes_that_are_not_offered_are_refused() {
    let crm = basic("crm:s3cret");
    for grant in ["password", "authorization_code", "Client_Credentials", "client_credentials "] {
        refused(ask_basic(&crm, &format!("grant_type={grant}")).await, 400, "unsupported_grant_type");
    }
    for (scope, says) in [("c", "`c`"), ("a+c", "`c`"), ("%22%5c%00", "a scope"), ("%C3%A9", "a scope")] {
        let description = refused(ask_basic(&crm, &format!("{GRANT}&scope={scope}")).await, 400, "invalid_scope");
        assert!(description.contains(says), "{description}");
    }
    refused(ask_basic(&crm, "scope=a").await, 400, "invalid_request");
    refused(ask_basic(&crm, "").await, 400, "invalid_request");
}

#[tokio::test]
async fn every_problem_has_its_page() {
    let house = house();
    let page = house.root.routes().iter().position(|route| route.label == "problem").unwrap();
    for problem in Problem::ALL {
        let mut request = request(&[], "");
        request.params = vec![("name".into(), problem.text().name.into())];
        let response = house.root.call(page, request).await;
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.headers["content-type"], "text/plain; charset=utf-8");
        assert!(text.contains(problem.text().explanation) && text.contains(problem.text().title), "{text}");
    }
    let mut unknown = request(&[], "");
    unknown.params = vec![("name".into(), "nonsense".into())];
    let response = house.root.call(page, unknown).await;
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert_eq!(response.headers["content-type"], "application/problem+json");
}

#[test]
fn the_routes_are_the_token_paths_and_the_pages() {
    let house = house();
    let routes = house.root.routes();
    let paths: Vec<_> = routes.iter().map(|route| (route.path, route.label)).collect();
    let expected = [
        ("/oauth2/token", "token"),
        ("/oauth/v1/token", "token"),
        ("/oauth2/revoke", "revoke"),
        ("/oauth2/jwks", "keys"),
        ("/.well-known/webhook-keys", "webhook_keys"),
        ("/.well-known/oauth-authorization-server", "metadata"),
        ("/.well-known/oauth-authorization-server/base", "metadata"),
        ("/problems/{name}", "problem"),
        ("/openapi.json", "openapi"),
    ];
    assert_eq!(paths, expected);
    assert!(routes.iter().all(|route| route.access == Access::Public));
    assert_eq!(house.root.mount(), "");
}

#[test]
fn refusals_are_problems_with_their_status() {
    let detail = || "what \"it\" is".to_owned();
    for (refusal, status, name, says) in [
        (Refusal::NoSuchPath, 404, "not-found", "Nothing"),
        (Refusal::MethodNotAllowed { allow: "POST".into() }, 405, "method-not-allowed", "POST"),
        (Refusal::Unauthenticated { detail: detail() }, 401, "unauthenticated", "what"),
        (Refusal::Forbidden { scope: "events:publish" }, 403, "forbidden", "`events:publish`"),
        (Refusal::BodyTooLarge { limit: 262_144 }, 413, "body-too-large", "262144"),
        (Refusal::BadRequest { detail: detail() }, 400, "invalid-request", "what"),
        (Refusal::BodyTimeout { seconds: 30 }, 408, "body-timeout", "30 seconds"),
        (Refusal::Unavailable { detail: detail() }, 503, "unavailable", "what"),
        (Refusal::Internal, 500, "internal", "X-Request-Id"),
    ] {
        let response = house().root.refuse(&refusal, "r-1");
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status.as_u16(), &body["status"]), (status, &json!(status)));
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("https://tidings.example/base/problems/{name}"));
        assert!(body["detail"].as_str().unwrap().contains(says), "{body}");
    }
}
