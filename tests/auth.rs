//! Tokens from the outside: what is issued is taken, what is forged, foreign or out of time is not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tidings::auth::{
    AuthSettings, Authenticator, ClientSettings, Denied, GateParts, MAX_TOKEN, ShownClient, SigningKeys, TokenError,
    TokenRequest, TokenService,
};
use tidings::base::clock::Timestamp;
use tidings::base::random::SeededRandomness;
use tidings::base::secret::{ExposeSecret, SecretHash};

const ISSUER: &str = "https://tidings.example";
const AUDIENCE: &str = "tidings";
/// 2027-01-15T08:00:00Z: a whole second.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

/// One appliance's authentication.
struct House {
    key: Vec<u8>,
    tokens: TokenService,
    authenticator: Authenticator,
}

impl House {
    fn new(clients: &[ClientSettings]) -> Self {
        Self::with_key(new_key(), clients)
    }

    fn with_key(key: Vec<u8>, clients: &[ClientSettings]) -> Self {
        let keys = Arc::new(SigningKeys::from_pkcs8(&key).unwrap());
        let mut settings = AuthSettings::new(ISSUER, clients.to_vec());
        settings.limits.token_rate = None;
        let gate = GateParts::in_memory(&settings);
        let random = Arc::new(SeededRandomness::new(1));
        Self {
            key,
            tokens: TokenService::new(&settings, Arc::clone(&keys), gate.clone(), random),
            authenticator: Authenticator::new(&settings, keys, gate.clients),
        }
    }

    fn token(&self, client: &str, now: Timestamp) -> String {
        self.tokens.issue(&request(client, None), now).unwrap().access_token.expose_secret().to_owned()
    }

    fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(SigningKeys::from_pkcs8(&self.key).unwrap().key_id());
        header
    }

    /// A token with the house's own key: what it would be if we had issued it.
    fn signed(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ec_der(&self.key)).unwrap()
    }
}

fn new_key() -> Vec<u8> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    document.as_ref().to_vec()
}

fn client(id: &str, scopes: &[&str]) -> ClientSettings {
    ClientSettings {
        secrets: vec![SecretHash::of(format!("{id}-secret").as_bytes()).into()],
        scopes: scopes.iter().map(|&s| s.to_owned()).collect(),
        ..ClientSettings::new(id)
    }
}

fn request(client: &str, scope: Option<&str>) -> TokenRequest {
    TokenRequest { scope: scope.map(str::to_owned), ..TokenRequest::with_secret(client, &format!("{client}-secret")) }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "crm", "client_id": "crm", "aud": AUDIENCE, "jti": "1", "scope": "a b",
        "iat": NOW.as_millis() / 1000, "exp": NOW.as_millis() / 1000 + 3600,
    })
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member);
    object
}

fn scopes(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|&s| s.to_owned()).collect()
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn an_issued_token_is_taken_and_says_what_rfc_9068_wants() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let issued = house.tokens.issue(&request("crm", None), NOW).unwrap();
    assert_eq!((issued.scope.as_str(), issued.expires_in), ("a b", HOUR));
    let token = issued.access_token.expose_secret();
    let principal = house.authenticator.bearer(token, NOW).unwrap();
    assert_eq!((principal.client_id.as_str(), principal.subject.as_str()), ("crm", "crm"));
    assert_eq!(principal.scopes, scopes(&["a", "b"]));
    assert!(principal.has("a") && !principal.has("c"));
    assert_eq!(part(token, 0), serde_json::to_value(house.header()).unwrap());
    let said = part(token, 1);
    assert_eq!(without(said.clone(), "jti"), without(claims(), "jti"));
    assert_eq!(said["jti"].as_str().unwrap().len(), 22);
}

#[test]
fn every_token_has_an_id_of_its_own() {
    let house = House::new(&[client("crm", &["a"])]);
    let [one, other] = [(); 2].map(|()| part(&house.token("crm", NOW), 1)["jti"].clone());
    assert_ne!(one, other);
}

#[test]
fn another_start_with_the_same_key_takes_the_token() {
    let clients = [client("crm", &["a"])];
    let first = House::new(&clients);
    let token = first.token("crm", NOW);
    let second = House::with_key(first.key, &clients);
    assert!(second.authenticator.bearer(&token, NOW).is_ok());
    assert_eq!(House::new(&clients).authenticator.bearer(&token, NOW), Err(Denied::Foreign));
}

#[test]
fn a_token_ends_to_the_second_whether_or_not_it_was_seen_before() {
    let clients = [client("crm", &["a"])];
    let house = House::new(&clients);
    let token = house.token("crm", NOW);
    let end = NOW.plus(HOUR);
    for _ in 0..2 {
        assert!(house.authenticator.bearer(&token, end.minus(millis(1))).is_ok());
        assert_eq!(house.authenticator.bearer(&token, end), Err(Denied::Expired));
    }
    let fresh = House::with_key(house.key, &clients);
    assert_eq!(fresh.authenticator.bearer(&token, end), Err(Denied::Expired));
    assert_eq!(fresh.authenticator.remembered(), 0);
    assert!(fresh.authenticator.bearer(&token, end.minus(millis(1))).is_ok());
}

#[test]
fn a_token_never_ends_before_its_client_was_told() {
    let house = House::new(&[client("crm", &["a"])]);
    for late in [1, 500, 999] {
        let now = NOW.plus(millis(late));
        let token = house.token("crm", now);
        assert!(house.authenticator.bearer(&token, now.plus(HOUR).minus(millis(1))).is_ok());
        assert!(house.authenticator.bearer(&token, NOW.plus(HOUR + millis(1000))).is_err());
    }
}

#[test]
fn a_token_of_the_future_is_refused_until_its_time() {
    let house = House::new(&[client("crm", &["a"])]);
    let token = house.signed(&house.header(), &with(claims(), "nbf", json!(NOW.as_millis() / 1000 + 10)));
    let start = NOW.plus(Duration::from_secs(10));
    assert_eq!(house.authenticator.bearer(&token, start.minus(millis(1))), Err(Denied::NotYetValid));
    assert!(house.authenticator.bearer(&token, start).is_ok());
    assert_eq!(house.authenticator.bearer(&token, NOW), Err(Denied::NotYetValid));
}

#[test]
fn a_token_is_worth_what_its_client_has_now() {
    let house = House::new(&[client("crm", &["a", "b"]), client("erp", &["c"])]);
    let (crm, erp) = (house.token("crm", NOW), house.token("erp", NOW));
    let seen = |token: &str| house.authenticator.bearer(token, NOW).map(|p| p.scopes.clone());
    assert_eq!(seen(&crm), Ok(scopes(&["a", "b"])));

    house.authenticator.replace_clients(&[client("crm", &["b", "z"])]);
    assert_eq!(seen(&crm), Ok(scopes(&["b"])), "what was cut is gone, what was added is not in the token");
    assert_eq!(seen(&erp), Err(Denied::ClientUnknown));

    house.authenticator.replace_clients(&[]);
    assert_eq!(seen(&crm), Err(Denied::ClientUnknown));
    assert_eq!(house.tokens.issue(&request("crm", None), NOW).unwrap_err(), TokenError::InvalidClient);

    house.authenticator.replace_clients(&[client("crm", &["a", "b"])]);
    assert_eq!(seen(&crm), Ok(scopes(&["a", "b"])));
}

#[test]
fn only_our_key_algorithm_and_type_are_taken() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let good = house.signed(&house.header(), &claims());
    assert!(house.authenticator.bearer(&good, NOW).is_ok());
    let header = |change: &dyn Fn(&mut Header)| {
        let mut header = house.header();
        change(&mut header);
        house.signed(&header, &claims())
    };
    let forged = [
        ("no type", header(&|h| h.typ = None)),
        ("another type", header(&|h| h.typ = Some("JWT".to_owned()))),
        ("no key id", header(&|h| h.kid = None)),
        ("another key id", header(&|h| h.kid = Some("other".to_owned()))),
        ("something critical", header(&|h| h.crit = Some(vec!["exp".to_owned()]))),
    ];
    for (what, token) in forged {
        assert_eq!(house.authenticator.bearer(&token, NOW), Err(Denied::Foreign), "{what}");
    }
}

#[test]
fn tokens_of_other_keys_and_algorithms_are_refused() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let other = jsonwebtoken::encode(&house.header(), &claims(), &EncodingKey::from_ec_der(&new_key())).unwrap();
    assert_eq!(house.authenticator.bearer(&other, NOW), Err(Denied::BadSignature));

    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &house.key).unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let mut header = house.header();
        header.alg = algorithm;
        let public = EncodingKey::from_secret(pair.public_key().as_ref());
        let token = jsonwebtoken::encode(&header, &claims(), &public).unwrap();
        assert_eq!(house.authenticator.bearer(&token, NOW), Err(Denied::Foreign), "{algorithm:?}");
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let header = serde_json::to_value(house.header()).unwrap();
    let body = URL_SAFE_NO_PAD.encode(claims().to_string());
    for algorithm in ["none", "None", "NONE", "", "ES257"] {
        let header = URL_SAFE_NO_PAD.encode(with(header.clone(), "alg", json!(algorithm)).to_string());
        for token in [format!("{header}.{body}."), format!("{header}.{body}")] {
            assert_eq!(house.authenticator.bearer(&token, NOW), Err(Denied::Foreign), "{algorithm}");
        }
    }
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    assert_eq!(house.authenticator.bearer(&format!("{header}.{body}."), NOW), Err(Denied::BadSignature));
}

#[test]
fn a_changed_token_is_refused() {
    let house = House::new(&[client("crm", &["a"])]);
    let token = house.token("crm", NOW);
    let parts: Vec<&str> = token.split('.').collect();
    let more = URL_SAFE_NO_PAD.encode(with(part(&token, 1), "scope", json!("a b")).to_string());
    let raised = format!("{}.{more}.{}", parts[0], parts[2]);
    assert_eq!(house.authenticator.bearer(&raised, NOW), Err(Denied::BadSignature));
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(house.authenticator.bearer(&changed, NOW).is_err(), "byte {index}");
        assert!(house.authenticator.bearer(&token[..index], NOW).is_err(), "cut at {index}");
    }
    assert_eq!(house.authenticator.remembered(), 0);
}

#[test]
fn claims_that_are_foreign_or_missing_are_refused() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let seen = |claims: &Value| house.authenticator.bearer(&house.signed(&house.header(), claims), NOW).map(|_| ());
    assert_eq!(seen(&claims()), Ok(()));
    for member in ["iss", "aud"] {
        for other in ["", "tidings.example", "Tidings", "https://tidings.example/"] {
            assert_eq!(seen(&with(claims(), member, json!(other))), Err(Denied::OtherAudience), "{member} {other}");
        }
        assert_eq!(seen(&with(claims(), member, json!([ISSUER, AUDIENCE]))), Err(Denied::Foreign), "{member}");
    }
    for member in ["iss", "aud", "exp", "sub", "client_id"] {
        assert_eq!(seen(&without(claims(), member)), Err(Denied::Foreign), "{member}");
        assert_eq!(seen(&with(claims(), member, Value::Null)), Err(Denied::Foreign), "{member}");
    }
    for exp in [json!("9999999999"), json!(-1), json!(1e300), json!(true)] {
        assert_eq!(seen(&with(claims(), "exp", exp.clone())), Err(Denied::Foreign), "{exp}");
    }
    assert_eq!(seen(&with(claims(), "client_id", json!("nobody"))), Err(Denied::ClientUnknown));
    assert_eq!(seen(&with(claims(), "exp", json!(i64::MAX))), Ok(()));
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_good_with_that_one_only() {
    let house = House::new(&[client("crm", &["a", "b"])]);
    let bound = |cnf: Value| house.signed(&house.header(), &with(claims(), "cnf", cnf));
    let token = bound(json!({ "x5t#S256": URL_SAFE_NO_PAD.encode([7; 32]) }));
    for _ in 0..2 {
        assert!(house.authenticator.bearer_with(&token, Some([7; 32]), NOW).is_ok());
        for other in [None, Some([8; 32])] {
            assert_eq!(house.authenticator.bearer_with(&token, other, NOW), Err(Denied::OtherCertificate));
        }
    }
    assert!(house.authenticator.bearer_with(&house.token("crm", NOW), Some([7; 32]), NOW).is_ok());
    for unknown in [json!({ "jkt": "x" }), json!({}), json!({ "x5t#S256": "AAAA" }), json!(1)] {
        assert_eq!(house.authenticator.bearer(&bound(unknown.clone()), NOW), Err(Denied::Foreign), "{unknown}");
    }
}

#[test]
fn garbage_is_refused() {
    let house = House::new(&[client("crm", &["a"])]);
    let open_object = URL_SAFE_NO_PAD.encode("{".repeat(100));
    for garbage in
        ["", ".", "..", "...", "a.b.c", "é.é.é", "\0", "e30.e30.e30", &open_object, &format!("{open_object}.e30.e30")]
    {
        assert_eq!(house.authenticator.bearer(garbage, NOW), Err(Denied::Foreign), "{garbage:?}");
    }
    assert_eq!(house.authenticator.bearer(&".".repeat(MAX_TOKEN), NOW), Err(Denied::Foreign));
    assert_eq!(house.authenticator.bearer(&".".repeat(MAX_TOKEN + 1), NOW), Err(Denied::TooLong));
}

#[test]
fn a_token_of_the_greatest_length_is_taken() {
    let house = House::new(&[client("crm", &["a"])]);
    let of = |blanks: usize| house.signed(&house.header(), &with(claims(), "jti", json!("x".repeat(blanks))));
    // Three bytes of the claims are four of the token.
    let room = (MAX_TOKEN - of(0).len()) / 4 * 3;
    assert!(of(room).len() <= MAX_TOKEN && of(room + 3).len() > MAX_TOKEN);
    assert!(house.authenticator.bearer(&of(room), NOW).is_ok());
    assert_eq!(house.authenticator.bearer(&of(room + 3), NOW), Err(Denied::TooLong));
}

#[test]
fn a_client_gets_the_scopes_that_it_asks_for_and_has() {
    let house = House::new(&[client("crm", &["a", "b", "c"]), client("bare", &[])]);
    let scope = |asked: Option<&str>| house.tokens.issue(&request("crm", asked), NOW).map(|t| t.scope);
    for (asked, granted) in [(None, "a b c"), (Some(""), "a b c"), (Some("c a"), "a c"), (Some(" b  b "), "b")] {
        assert_eq!(scope(asked).unwrap(), granted, "{asked:?}");
    }
    let refused = |asked: &str| scope(Some(asked)).unwrap_err().to_string();
    assert!(refused("a d").contains("the scope `d`"));
    assert!(refused("A").contains("the scope `A`"));
    assert!(refused("a,b").contains("the scope `a,b`"));
    for odd in ["\"", "a\\", "é", "a\u{a0}b", &"x".repeat(101)] {
        assert!(refused(odd).starts_with("a scope is not"), "{odd}");
    }
    let token = house.tokens.issue(&request("crm", Some("b")), NOW).unwrap();
    let principal = house.authenticator.bearer(token.access_token.expose_secret(), NOW).unwrap();
    assert_eq!(principal.scopes, scopes(&["b"]));
    let error = house.tokens.issue(&request("bare", None), NOW).unwrap_err();
    assert!(matches!(&error, TokenError::InvalidScope { detail } if detail.contains("[[clients]]")), "{error}");
}

#[test]
fn who_does_not_show_the_secret_learns_nothing() {
    let house = House::new(&[client("crm", &["a"])]);
    let mut asked = request("crm", Some("unknown"));
    asked.grant_type = Some("password".to_owned());
    for (id, secret) in [("crm", "wrong"), ("crm", ""), ("nobody", "crm-secret"), ("", ""), ("CRM", "crm-secret")] {
        let asked = TokenRequest { client: ShownClient::with_secret(id, secret), ..asked.clone() };
        assert_eq!(house.tokens.issue(&asked, NOW).unwrap_err(), TokenError::InvalidClient, "{id} {secret}");
    }
    assert_eq!(house.tokens.issue(&asked, NOW).unwrap_err(), TokenError::UnsupportedGrantType);
    asked.grant_type = None;
    assert_eq!(house.tokens.issue(&asked, NOW).unwrap_err(), TokenError::NoGrantType);
}

#[test]
fn secrets_and_tokens_are_not_shown() {
    let house = House::new(&[client("crm", &["a"])]);
    let asked = request("crm", None);
    let issued = house.tokens.issue(&asked, NOW).unwrap();
    let shown = format!("{asked:?} {issued:?}");
    assert!(!shown.contains("crm-secret") && !shown.contains(issued.access_token.expose_secret()), "{shown}");
}

#[test]
fn many_threads_see_a_removed_client_go_at_once() {
    let house = House::new(&[client("crm", &["a", "b"]), client("erp", &["c"])]);
    let tokens: Vec<_> = (0..8).map(|_| house.token("crm", NOW)).collect();
    let removed = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for token in &tokens {
            scope.spawn(|| {
                // The flag is read before the request begins: what was replaced before it must hold for it.
                while !removed.load(std::sync::atomic::Ordering::SeqCst) {
                    match house.authenticator.bearer(token, NOW) {
                        Ok(principal) => assert!(principal.has("a")),
                        Err(denied) => assert_eq!(denied, Denied::ClientUnknown),
                    }
                }
                assert_eq!(house.authenticator.bearer(token, NOW), Err(Denied::ClientUnknown));
            });
        }
        for round in 0..200 {
            let cut: &[&str] = if round % 2 == 0 { &["a"] } else { &["a", "b"] };
            house.authenticator.replace_clients(&[client("crm", cut)]);
        }
        house.authenticator.replace_clients(&[client("erp", &["c"])]);
        removed.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    assert!(house.authenticator.bearer(&house.token("erp", NOW), NOW).is_ok());
}
