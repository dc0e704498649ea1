//! The key that signs our tokens: ECDSA on P-256 with SHA-256 (ES256), made at first start and kept sealed in the store.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::Error as JwtError;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use zeroize::Zeroizing;

use super::claims::{Claims, TYPE};
use crate::base::secret::sha256;
use crate::store::{Store, StoreError};

/// The store's name of the key.
const SECRET_NAME: &str = "signing-key-1";

/// Signs tokens, and gives what verifies them.
pub struct SigningKeys {
    signing: EncodingKey,
    verifying: DecodingKey,
    key_id: String,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The store cannot give or keep it.
    #[error("the key that signs tokens cannot be read or kept: {0}")]
    Store(#[from] StoreError),
    /// The bytes are no key that we can use.
    #[error(
        "the key that signs tokens is not a P-256 key in PKCS#8 ({reason}): the data file is damaged; restore it from a backup"
    )]
    Rejected {
        /// What the crypto provider said.
        reason: String,
    },
    /// None can be made.
    #[error("no key to sign tokens with can be made: the crypto provider failed")]
    NotMade,
}

impl SigningKeys {
    /// The store's key; at first start one is made and kept. Every start, and every process at one store, gets the same.
    ///
    /// The key comes from the crypto provider's own generator, which takes no other source of randomness.
    pub async fn load(store: &dyn Store) -> Result<Self, SigningKeyError> {
        let kept = match store.secret(SECRET_NAME).await? {
            Some(kept) => kept,
            None => store.keep_secret(SECRET_NAME, new_key()?).await?,
        };
        Self::from_pkcs8(&Zeroizing::new(kept))
    }

    /// The key in a PKCS#8 document (RFC 5958).
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document)
            .map_err(|error| SigningKeyError::Rejected { reason: error.to_string() })?;
        let point = pair.public_key().as_ref();
        Ok(Self {
            signing: EncodingKey::from_ec_der(document),
            verifying: DecodingKey::from_ec_der(point),
            key_id: thumbprint(point),
        })
    }

    /// The `kid` of its tokens: the key's thumbprint (RFC 7638), which says nothing about the private part.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) const fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, JwtError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

fn new_key() -> Result<Vec<u8>, SigningKeyError> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_| SigningKeyError::NotMade)
}

/// The thumbprint (RFC 7638, 3) of the public key `point`: `4 | x | y` (SEC 1, 2.3.3).
fn thumbprint(point: &[u8]) -> String {
    let (x, y) = point[1..].split_at(32);
    let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
    URL_SAFE_NO_PAD.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::{Jwk, ThumbprintHash};

    use super::*;

    #[test]
    fn the_key_id_is_the_thumbprint() {
        let document = new_key().unwrap();
        let keys = SigningKeys::from_pkcs8(&document).unwrap();
        let jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&document), Algorithm::ES256).unwrap();
        assert_eq!(keys.key_id(), jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
        assert_eq!(keys.key_id(), SigningKeys::from_pkcs8(&document).unwrap().key_id());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let document = new_key().unwrap();
        for bad in [&b""[..], b"x", &document[..document.len() - 1]] {
            let error = SigningKeys::from_pkcs8(bad).unwrap_err().to_string();
            assert!(error.contains("PKCS#8") && error.contains("backup"), "{error}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let keys = SigningKeys::from_pkcs8(&new_key().unwrap()).unwrap();
        assert_eq!(format!("{keys:?}"), format!("SigningKeys {{ key_id: {:?}, .. }}", keys.key_id()));
    }
}
