//! JWK sets: which keys are used, and which sets are none.

use serde_json::{Value, json};
use tidings::auth::issuers::{KeySet, KeySetError, MAX_KEY_SET};

use crate::house::{with, without};
use crate::signer::{Signer, encoded, key_set};

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(key_set(keys).to_string().as_bytes())
}

#[test]
fn keys_of_every_kind_are_used() {
    for name in ["ES256", "ES384", "ES512", "RS256", "PS512", "EdDSA"] {
        let jwk = Signer::new(name).jwk("k");
        for variant in [
            jwk.clone(),
            with(jwk.clone(), "alg", json!(name)),
            with(jwk.clone(), "use", json!("sig")),
            with(jwk.clone(), "key_ops", json!(["verify"])),
            with(jwk.clone(), "x5c", json!(["something else"])),
            without(jwk, "kid"),
        ] {
            let keys = parse(std::slice::from_ref(&variant)).unwrap_or_else(|error| panic!("{variant}: {error}"));
            assert_eq!((keys.len(), keys.ignored().len()), (1, 0), "{variant}");
        }
    }
}

#[test]
fn keys_of_no_use_are_left_out_and_the_reason_is_said() {
    let (ec, rsa, ed) = (Signer::new("ES256").jwk("k"), Signer::new("RS256").jwk("k"), Signer::new("EdDSA").jwk("k"));
    let modulus = |bytes: usize| with(rsa.clone(), "n", json!(encoded(&vec![0xff; bytes])));
    let of_no_use = [
        (with(ec.clone(), "use", json!("enc")), "use is \"enc\""),
        (with(ec.clone(), "key_ops", json!(["sign"])), "key_ops"),
        (with(ec.clone(), "alg", json!("RS256")), "does not fit"),
        (with(ec.clone(), "alg", json!("ES384")), "does not fit"),
        (with(rsa.clone(), "alg", json!("HS256")), "not supported"),
        (with(rsa.clone(), "alg", json!("RSA-OAEP")), "not supported"),
        (with(ec.clone(), "crv", json!("secp256k1")), "not supported"),
        (with(ed.clone(), "crv", json!("X25519")), "not supported"),
        (with(ec.clone(), "d", json!(encoded(&[1; 32]))), "private part"),
        (with(ec.clone(), "x", json!(encoded(&[1; 32]))), "not on its curve"),
        (with(ec.clone(), "x", json!(encoded(&[1; 31]))), "must have 32 bytes"),
        (without(ec.clone(), "y"), "has no y"),
        (with(ec.clone(), "y", json!("+/+/")), "not base64url"),
        (modulus(128), "1024 bits"),
        (with(modulus(256), "n", json!(encoded(&[vec![0x7f], vec![0xff; 255]].concat()))), "2047 bits"),
        (modulus(1025), "8200 bits"),
        (with(rsa.clone(), "n", json!("")), "0 bits"),
        (with(rsa.clone(), "e", json!("")), "no exponent"),
        (with(rsa.clone(), "e", json!(encoded(&[2]))), "no exponent"),
        (with(rsa.clone(), "e", json!(encoded(&[0, 1]))), "no exponent"),
        (with(rsa, "e", json!(encoded(&[0xff; 5]))), "no exponent"),
        (json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "s" }), "symmetric"),
        (json!({ "kty": "new" }), "not supported"),
        (json!({ "kid": "x" }), "no JWK"),
        (json!("x"), "no JWK"),
    ];
    for (jwk, reason) in of_no_use {
        let error = parse(std::slice::from_ref(&jwk)).expect_err(&jwk.to_string()).to_string();
        assert!(error.starts_with("has no key that can be used: keys[0]") && error.contains(reason), "{jwk}: {error}");
        let keys = parse(&[jwk, ed.clone()]).unwrap();
        assert_eq!((keys.len(), keys.ignored().len()), (1, 1));
        assert!(keys.ignored()[0].contains(reason), "{:?}", keys.ignored());
    }
}

#[test]
fn a_set_has_bounds() {
    let jwk = Signer::new("ES256").jwk("k");
    assert_eq!(parse(&vec![jwk.clone(); 100]).unwrap().len(), 100);
    assert_eq!(parse(&vec![jwk.clone(); 101]).unwrap_err(), KeySetError::TooMany(101));
    let padded = |length: usize| {
        let text = key_set(std::slice::from_ref(&jwk)).to_string();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    assert!(KeySet::parse(padded(MAX_KEY_SET).as_bytes()).is_ok());
    assert_eq!(KeySet::parse(padded(MAX_KEY_SET + 1).as_bytes()).unwrap_err(), KeySetError::TooLarge);
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "[]", "{}", "{\"keys\":{}}", "<html>", "{\"keys\":[],\"keys\":[]}", "\u{0}", "null"] {
        assert!(matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::NotASet(_))), "{text}");
    }
    assert!(matches!(KeySet::parse(b"{\"keys\":[]}"), Err(KeySetError::NoneUsable(_))));
}
