//! An issuer's side: keys made here, their public parts as JWKs, and tokens signed with them.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key of an issuer, which signs with one algorithm.
pub(crate) struct Signer {
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(&'static RsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// A new key for `algorithm`; the RSA key is one for all.
    pub(crate) fn new(algorithm: &'static str) -> Self {
        let pair = match algorithm {
            "ES256" => Pair::Ec(ec(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Pair::Ec(ec(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            "ES512" => Pair::Ec(ec(&ECDSA_P521_SHA512_FIXED_SIGNING)),
            "EdDSA" => {
                let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
                Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            _ => Pair::Rsa(rsa_key()),
        };
        Self { algorithm, pair }
    }

    /// The public part, with this id.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let mut jwk = self.bare_jwk();
        jwk["kid"] = json!(id);
        jwk
    }

    /// The public part without any hint of what it is for.
    pub(crate) fn bare_jwk(&self) -> Value {
        match &self.pair {
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match x.len() {
                    32 => "P-256",
                    48 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) })
            }
            Pair::Rsa(pair) => {
                let (n, e) = modulus_and_exponent(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": encoded(n), "e": encoded(e) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref()) }),
        }
    }

    /// All forms of the public key that somebody could take for an HMAC secret.
    pub(crate) fn public_bytes(&self) -> Vec<Vec<u8>> {
        let jwk = self.bare_jwk();
        let mut forms = vec![jwk.to_string().into_bytes()];
        if let Pair::Rsa(pair) = &self.pair {
            let der = pair.public_key().as_der().unwrap();
            let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
            forms.extend([pair.public_key().as_ref().to_vec(), der.as_ref().to_vec(), pem.into_bytes()]);
            forms.push(modulus_and_exponent(pair.public_key().as_ref()).0.to_vec());
        }
        if let Pair::Ec(pair) = &self.pair {
            forms.push(pair.public_key().as_ref().to_vec());
        }
        forms
    }

    /// A token with these parts, signed with this key whatever they say.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", encoded(&self.signature(message.as_bytes())))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// `header.claims`
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()))
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn key_set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap()
}

/// Making one takes a while.
fn rsa_key() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

/// Out of an `RSAPublicKey` (RFC 8017, A.1.1): a sequence of two integers.
fn modulus_and_exponent(der: &[u8]) -> (&[u8], &[u8]) {
    let value = |der: &'_ [u8]| {
        let (length, head) = match der[1] {
            0x81 => (usize::from(der[2]), 3),
            0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
            short => (usize::from(short), 2),
        };
        (head, head + length)
    };
    let (head, _) = value(der);
    let rest = &der[head..];
    let (head, end) = value(rest);
    let n = &rest[head..end];
    let rest = &rest[end..];
    let (head, end) = value(rest);
    (&n[usize::from(n[0] == 0)..], &rest[head..end])
}
