//! Forgeries, foreign tokens, and tokens out of time.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidings::auth::issuers::{Algorithm, ForeignDenied, TrustedIssuers};
use tidings::auth::{Credential, MAX_TOKEN};
use tidings::base::clock::ManualClock;

use crate::house::{
    House, ISSUER, NOW, SKEW, at, claims, entry, header, names, of_file, outbound, patterns, with, without,
};
use crate::signer::{Signer, encoded, message};

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let house = House::new();
    let token = house.token(&claims());
    for _ in 0..2 {
        let caller = house.take(&token).await.unwrap();
        assert_eq!((caller.client_id.as_str(), caller.subject.as_str()), ("partner-a", "1002"));
        assert_eq!(caller.credential, Credential::ForeignToken { issuer: ISSUER.to_owned() });
        assert_eq!(caller.scopes, names(&["notification:consent:consumer", "events:publish"]));
        assert_eq!(caller.owners.as_ref().unwrap().to_audience(), "1001,1002,acme");
        assert!(caller.contracts.is_none() && caller.publish.is_none());
    }
    assert_eq!(house.issuers.remembered(), 1);
}

#[tokio::test]
async fn every_algorithm_that_the_entry_names_is_verified_and_no_other() {
    let clock = ManualClock::new(at(NOW));
    for (name, algorithm) in Algorithm::ALL {
        let signer = Signer::new(name);
        for (named, outcome) in [(vec![algorithm], Ok(())), (others(algorithm), Err(ForeignDenied::OtherAlgorithm))] {
            let mut settings = entry(of_file(&[with(signer.jwk("k"), "alg", json!(name))]));
            settings.algorithms = named;
            let issuers = TrustedIssuers::new(vec![settings], outbound(), Arc::new(clock.clone()));
            let token = signer.sign(&header(name), &claims());
            assert_eq!(issuers.bearer(&token, None).await.unwrap().map(drop), outcome, "{name}");
        }
    }
}

fn others(algorithm: Algorithm) -> Vec<Algorithm> {
    Algorithm::ALL.into_iter().map(|(_, other)| other).filter(|other| *other != algorithm).collect()
}

#[tokio::test]
async fn an_algorithm_must_fit_the_key() {
    let (ec, rsa) = (Signer::new("ES256"), Signer::new("RS256"));
    let mut settings = entry(of_file(&[ec.jwk("ec"), rsa.jwk("rsa"), with(rsa.jwk("ps"), "alg", json!("PS256"))]));
    settings.algorithms = Algorithm::ALL.into_iter().map(|(_, algorithm)| algorithm).collect();
    let issuers = TrustedIssuers::new(vec![settings], outbound(), Arc::new(ManualClock::new(at(NOW))));
    for (signer, algorithm, kid, outcome) in [
        (&ec, "ES256", "ec", Ok(())),
        (&rsa, "RS256", "rsa", Ok(())),
        (&ec, "ES384", "ec", Err(ForeignDenied::UnknownKey)),
        (&ec, "RS256", "ec", Err(ForeignDenied::UnknownKey)),
        (&rsa, "ES256", "rsa", Err(ForeignDenied::UnknownKey)),
        (&rsa, "EdDSA", "rsa", Err(ForeignDenied::UnknownKey)),
        (&rsa, "RS256", "ps", Err(ForeignDenied::UnknownKey)),
        (&rsa, "PS256", "ps", Err(ForeignDenied::BadSignature)),
        (&rsa, "RS512", "rsa", Err(ForeignDenied::BadSignature)),
        (&rsa, "RS256", "ec", Err(ForeignDenied::UnknownKey)),
        (&ec, "ES256", "other", Err(ForeignDenied::UnknownKey)),
    ] {
        let token = signer.sign(&with(header(algorithm), "kid", json!(kid)), &claims());
        assert_eq!(issuers.bearer(&token, None).await.unwrap().map(drop), outcome, "{algorithm} {kid}");
    }
}

#[tokio::test]
async fn unsigned_tokens_and_those_signed_with_the_public_key_are_refused() {
    for name in ["ES256", "RS256"] {
        let signer = Signer::new(name);
        let settings = entry(of_file(&[signer.jwk("k")]));
        let issuers = TrustedIssuers::new(vec![settings], outbound(), Arc::new(ManualClock::new(at(NOW))));
        for algorithm in ["none", "None", "NONE", "", "HS256 ", "es256", "RS1"] {
            let message = message(&header(algorithm), &claims());
            let outcome = issuers.bearer(&format!("{message}."), None).await.unwrap();
            assert_eq!(outcome.map(drop), Err(ForeignDenied::OtherAlgorithm), "{algorithm}");
        }
        assert_eq!(
            issuers.bearer(&format!("{}.", message(&header(name), &claims())), None).await.unwrap().map(drop),
            Err(ForeignDenied::BadSignature)
        );
        for secret in signer.public_bytes() {
            for (algorithm, digest) in [
                ("HS256", aws_lc_rs::hmac::HMAC_SHA256),
                ("HS384", aws_lc_rs::hmac::HMAC_SHA384),
                ("HS512", aws_lc_rs::hmac::HMAC_SHA512),
            ] {
                let hmac = |message: &str| {
                    let key = aws_lc_rs::hmac::Key::new(digest, &secret);
                    encoded(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref())
                };
                let honest = message(&header(algorithm), &claims());
                let outcome = issuers.bearer(&format!("{honest}.{}", hmac(&honest)), None).await.unwrap();
                assert_eq!(outcome.map(drop), Err(ForeignDenied::OtherAlgorithm), "{algorithm}");
                let lying = message(&header(name), &claims());
                let outcome = issuers.bearer(&format!("{lying}.{}", hmac(&lying)), None).await.unwrap();
                assert_eq!(outcome.map(drop), Err(ForeignDenied::BadSignature), "{algorithm}");
            }
        }
        assert_eq!(issuers.remembered(), 0);
    }
}

#[tokio::test]
async fn a_key_in_the_header_is_never_used() {
    let (house, thief) = (House::new(), Signer::new("ES256"));
    for member in ["jwk", "jku", "x5c", "x5u"] {
        let value = if member == "jwk" { thief.jwk("k") } else { json!("https://thief.example/keys") };
        let token = thief.sign(&with(header("ES256"), member, value), &claims());
        assert_eq!(house.take(&token).await.map(drop), Err(ForeignDenied::BadSignature), "{member}");
    }
    let token = thief.sign(&header("ES256"), &claims());
    assert_eq!(house.take(&token).await.map(drop), Err(ForeignDenied::BadSignature));
}

#[tokio::test]
async fn the_header_must_be_what_the_entry_takes() {
    let house = House::new();
    for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        let token = house.signer.sign(&with(header("ES256"), "typ", json!(good)), &claims());
        assert!(house.take(&token).await.is_ok(), "{good}");
    }
    for (what, header, denied) in [
        ("no type", without(header("ES256"), "typ"), ForeignDenied::OtherType),
        ("an ID token's type", with(header("ES256"), "typ", json!("JWT")), ForeignDenied::OtherType),
        ("another type", with(header("ES256"), "typ", json!("dpop+jwt")), ForeignDenied::OtherType),
        ("crit", with(header("ES256"), "crit", json!(["exp"])), ForeignDenied::Critical),
        ("an empty crit", with(header("ES256"), "crit", json!([])), ForeignDenied::Critical),
        ("a crit of null", with(header("ES256"), "crit", Value::Null), ForeignDenied::Critical),
    ] {
        let token = house.signer.sign(&header, &claims());
        assert_eq!(house.take(&token).await.map(drop), Err(denied), "{what}");
    }
    let jwt = House::with(|entry| entry.token_types = names(&["jwt", "at+jwt"]));
    let token = jwt.signer.sign(&with(header("ES256"), "typ", json!("JWT")), &claims());
    assert!(jwt.take(&token).await.is_ok());
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_a_key_that_cannot_be_another() {
    let (one, other, rsa) = (Signer::new("ES256"), Signer::new("ES256"), Signer::new("RS256"));
    let (bare, clock) = (without(header("ES256"), "kid"), Arc::new(ManualClock::new(at(NOW))));
    for (keys, outcome) in [
        (vec![one.jwk("k"), rsa.jwk("l")], Ok(())),
        (vec![one.bare_jwk()], Ok(())),
        (vec![one.jwk("k"), other.jwk("l")], Err(ForeignDenied::UnknownKey)),
        (vec![other.jwk("k")], Err(ForeignDenied::BadSignature)),
        (vec![rsa.jwk("k")], Err(ForeignDenied::UnknownKey)),
    ] {
        let issuers = TrustedIssuers::new(vec![entry(of_file(&keys))], outbound(), clock.clone());
        let token = one.sign(&bare, &claims());
        assert_eq!(issuers.bearer(&token, None).await.unwrap().map(drop), outcome, "{keys:?}");
    }
    for keys in [vec![one.bare_jwk()], vec![one.jwk("k"), other.jwk("k")]] {
        let issuers = TrustedIssuers::new(vec![entry(of_file(&keys))], outbound(), clock.clone());
        let token = one.sign(&header("ES256"), &claims());
        assert_eq!(issuers.bearer(&token, None).await.unwrap().map(drop), Err(ForeignDenied::UnknownKey), "{keys:?}");
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_not_this_one_s_to_judge() {
    let house = House::new();
    for issuer in [json!("https://login.example.com"), json!("https://LOGIN.example.com/"), json!([ISSUER]), json!(1)] {
        let token = house.token(&with(claims(), "iss", issuer.clone()));
        assert!(house.issuers.bearer(&token, None).await.is_none(), "{issuer}");
    }
    let unnamed = house.token(&without(claims(), "iss"));
    let long = house.token(&with(claims(), "pad", json!("x".repeat(MAX_TOKEN))));
    for none in ["", ".", "..", "a.b.c", "é.é.é", "e30.e30.e30", &unnamed, &long] {
        assert!(house.issuers.bearer(none, None).await.is_none(), "{none}");
    }
}

#[tokio::test]
async fn duplicate_members_are_no_token() {
    let house = House::new();
    let twice = |text: String| encoded(text.replacen('{', "{\"iss\":\"https://login.example.com/\",", 1).as_bytes());
    let message = format!("{}.{}", encoded(header("ES256").to_string().as_bytes()), twice(claims().to_string()));
    assert!(house.issuers.bearer(&format!("{message}.AAAA"), None).await.is_none());
}

#[tokio::test]
async fn the_audience_must_be_ours() {
    let house = House::new();
    for good in [json!("tidings"), json!("tidings-test"), json!(["other", "tidings"])] {
        assert!(house.claim(&with(claims(), "aud", good.clone())).await.is_ok(), "{good}");
    }
    for bad in [json!("Tidings"), json!("tidings "), json!(["other"]), json!([]), json!("")] {
        let outcome = house.claim(&with(claims(), "aud", bad.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::OtherAudience), "{bad}");
    }
    assert_eq!(house.claim(&without(claims(), "aud")).await.map(drop), Err(ForeignDenied::OtherAudience));
    for odd in [json!(1), json!({ "tidings": 1 }), json!(["tidings", 1]), Value::Null] {
        let outcome = house.claim(&with(claims(), "aud", odd.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::Claim("aud".to_owned())), "{odd}");
    }
}

#[tokio::test]
async fn a_token_lives_from_its_beginning_to_its_end_and_the_skew_more() {
    let house = House::new();
    let skew = i64::try_from(SKEW.as_secs()).unwrap();
    let late = with(with(claims(), "nbf", json!(NOW + 100)), "iat", json!(NOW + 50));
    for (claims, begins) in [(claims(), NOW - skew), (late, NOW + 100 - skew)] {
        let token = house.token(&claims);
        let millisecond = Duration::from_millis(1);
        for _ in 0..2 {
            for (now, outcome) in [
                (at(begins).minus(millisecond), Err(ForeignDenied::NotYetValid)),
                (at(begins), Ok(())),
                (at(NOW + 300 + skew).minus(millisecond), Ok(())),
                (at(NOW + 300 + skew), Err(ForeignDenied::Expired)),
            ] {
                house.clock.set(now);
                assert_eq!(house.take(&token).await.map(drop), outcome, "{now:?}");
            }
        }
    }
}

#[tokio::test]
async fn instants_are_numbers_with_or_without_fractions() {
    let house = House::new();
    assert!(house.claim(&with(claims(), "exp", json!(1_800_000_001.5))).await.is_ok());
    assert!(house.claim(&with(claims(), "exp", json!(i64::MAX))).await.is_ok());
    assert!(house.claim(&without(claims(), "iat")).await.is_ok());
    let seen = |claim: &'static str, value: Value| {
        let claims = with(claims(), claim, value);
        async { house.claim(&claims).await.map(drop).unwrap_err() }.boxed_now()
    };
    assert_eq!(seen("exp", json!(-1)), ForeignDenied::Expired);
    assert_eq!(seen("iat", json!(1e300)), ForeignDenied::NotYetValid);
    for claim in ["exp", "nbf", "iat"] {
        for odd in [json!("1800000300"), json!(true), Value::Null] {
            assert_eq!(seen(claim, odd.clone()), ForeignDenied::Claim(claim.to_owned()), "{odd}");
        }
    }
    assert_eq!(house.claim(&without(claims(), "exp")).await.map(drop), Err(ForeignDenied::Claim("exp".to_owned())));
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_is_good_with_that_one_only() {
    let house = House::new();
    let token = house.token(&with(claims(), "cnf", json!({ "x5t#S256": encoded(&[7; 32]) })));
    for _ in 0..2 {
        let with = async |certificate| house.issuers.bearer(&token, certificate).await.unwrap().map(drop);
        assert_eq!(with(Some([7; 32])).await, Ok(()));
        assert_eq!(with(Some([8; 32])).await, Err(ForeignDenied::OtherCertificate));
        assert_eq!(with(None).await, Err(ForeignDenied::OtherCertificate));
    }
    for unknown in [json!({ "jkt": "x" }), json!({}), Value::Null] {
        let outcome = house.claim(&with(claims(), "cnf", unknown.clone())).await.map(drop);
        assert_eq!(outcome, Err(ForeignDenied::OtherCertificate), "{unknown}");
    }
}

#[tokio::test]
async fn other_settings_hold_for_tokens_that_were_seen_before() {
    let house = House::new();
    let token = house.token(&claims());
    assert!(house.take(&token).await.is_ok());
    let mut settings = entry(of_file(&[house.signer.jwk("k")]));
    settings.scopes = patterns(&["events:publish"]);
    house.issuers.replace(vec![settings.clone()]);
    assert_eq!(house.take(&token).await.unwrap().scopes, names(&["events:publish"]));
    settings.client_ids = patterns(&["other"]);
    house.issuers.replace(vec![settings.clone()]);
    assert_eq!(house.take(&token).await.map(drop), Err(ForeignDenied::OtherClient));
    settings.keys = of_file(&[Signer::new("ES256").jwk("k")]);
    house.issuers.replace(vec![settings]);
    assert_eq!(house.take(&token).await.map(drop), Err(ForeignDenied::BadSignature));
    house.issuers.replace(Vec::new());
    assert!(house.issuers.bearer(&token, None).await.is_none());
}

/// A future that never waits.
trait Now: Future + Sized {
    fn boxed_now(self) -> Self::Output {
        let mut future = std::pin::pin!(self);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }
}

impl<F: Future> Now for F {}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_token_is_never_taken(at in any::<prop::sample::Index>(), byte in "[A-Za-z0-9_.-]") {
        let house = House::new();
        let good = house.token(&claims());
        let index = at.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(index..=index, &byte);
        prop_assume!(changed != good);
        let outcome = house.issuers.bearer(&changed, None).boxed_now();
        prop_assert!(outcome.is_none_or(|outcome| outcome.is_err()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z0-9_.{}\":-]{0,80}") {
        let house = House::new();
        let _ = house.issuers.bearer(&text, None).boxed_now();
        let odd = format!("{}.{}.", encoded(text.as_bytes()), encoded(claims().to_string().as_bytes()));
        let _ = house.issuers.bearer(&odd, None).boxed_now();
        let odd = house.signer.sign(&header("ES256"), &json!({ "iss": ISSUER, "aud": text }));
        prop_assert!(house.issuers.bearer(&odd, None).boxed_now().unwrap().is_err());
    }
}
