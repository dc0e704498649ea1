//! One key that signs our tokens: ECDSA on P-256 with SHA-256 (ES256), and the public half of it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::Error as JwtError;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;

use super::claims::{Claims, TYPE};
use super::keys::SigningKeyError;
use crate::base::secret::sha256;

/// The length of a point: `4 | x | y` (SEC 1, 2.3.3).
const POINT_LEN: usize = 65;

/// A key that signs.
pub(super) struct SigningKey {
    signing: EncodingKey,
    pub(super) public: PublicKey,
}

/// What verifies the signatures of a key.
pub(super) struct PublicKey {
    point: Vec<u8>,
    pub(super) verifying: DecodingKey,
    /// The key's thumbprint (RFC 7638), which says nothing about the private part.
    pub(super) id: String,
}

/// A public key as RFC 7517 and RFC 7518, 6.2 show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PublicJwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    kid: String,
}

impl SigningKey {
    /// The key in a PKCS#8 document (RFC 5958).
    pub(super) fn from_pkcs8(document: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document)
            .map_err(|error| SigningKeyError::Rejected { reason: error.to_string() })?;
        let public = PublicKey::from_point(pair.public_key().as_ref())
            .ok_or_else(|| SigningKeyError::Rejected { reason: "its public half is no point".to_owned() })?;
        Ok(Self { signing: EncodingKey::from_ec_der(document), public })
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, JwtError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.public.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
    }
}

impl PublicKey {
    /// The key whose point these bytes are, uncompressed; `None` if they have another form.
    pub(super) fn from_point(point: &[u8]) -> Option<Self> {
        if point.len() != POINT_LEN || point[0] != 4 {
            return None;
        }
        Some(Self { point: point.to_vec(), verifying: DecodingKey::from_ec_der(point), id: thumbprint(point) })
    }

    /// The bytes that [`PublicKey::from_point`] takes.
    pub(super) fn point(&self) -> &[u8] {
        &self.point
    }

    pub(super) fn jwk(&self) -> PublicJwk {
        let [x, y] = coordinates(&self.point);
        PublicJwk { kty: "EC", crv: "P-256", x, y, alg: "ES256", purpose: "sig", kid: self.id.clone() }
    }
}

/// A new key as a PKCS#8 document. It comes from the crypto provider's own generator, which takes no other source of
/// randomness.
pub(super) fn new_document() -> Result<Vec<u8>, SigningKeyError> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_| SigningKeyError::NotMade)
}

/// The thumbprint (RFC 7638, 3) of the public key `point`.
fn thumbprint(point: &[u8]) -> String {
    let [x, y] = coordinates(point);
    URL_SAFE_NO_PAD.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
}

fn coordinates(point: &[u8]) -> [String; 2] {
    let (x, y) = point[1..].split_at((POINT_LEN - 1) / 2);
    [x, y].map(|part| URL_SAFE_NO_PAD.encode(part))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::{Jwk, ThumbprintHash};

    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint() {
        let document = new_document().unwrap();
        let key = SigningKey::from_pkcs8(&document).unwrap();
        let jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&document), Algorithm::ES256).unwrap();
        assert_eq!(key.public.id, jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
        assert_eq!(key.public.id, SigningKey::from_pkcs8(&document).unwrap().public.id);
        let again = PublicKey::from_point(key.public.point()).unwrap();
        assert_eq!(again.id, key.public.id);
    }

    #[test]
    fn the_public_key_is_shown_as_a_library_reads_it() {
        let key = SigningKey::from_pkcs8(&new_document().unwrap()).unwrap();
        let shown = serde_json::to_value(key.public.jwk()).unwrap();
        let jwk: Jwk = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), shown["kid"].as_str().unwrap());
        assert_eq!((shown["use"].as_str(), shown.get("d")), (Some("sig"), None));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let document = new_document().unwrap();
        for bad in [&b""[..], b"x", &document[..document.len() - 1]] {
            let error = SigningKey::from_pkcs8(bad).err().unwrap().to_string();
            assert!(error.contains("PKCS#8") && error.contains("backup"), "{error}");
        }
        for bad in [&b""[..], &[4; 64], &[4; 66], &[2; 65]] {
            assert!(PublicKey::from_point(bad).is_none());
        }
    }
}
