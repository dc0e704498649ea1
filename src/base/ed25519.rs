//! Ed25519 signatures (RFC 8032): keys, and what signs with all that sign at a time.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::clock::Timestamp;

/// The bytes of a private key, from which all of it follows.
pub const SEED_LEN: usize = 32;

/// A signature.
pub type Signature = [u8; 64];

/// A key that signs.
pub struct PrivateKey {
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; SEED_LEN]>,
}

/// What verifies the signatures of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Signs with every key that signs at a time. Cheap and without waiting: it is asked for each message.
pub trait SignAll: Send + Sync + 'static {
    /// The signatures of `message` at `now`, that of the newest key first.
    fn sign(&self, message: &[u8], now: Timestamp) -> Vec<Signature>;
}

impl PrivateKey {
    /// The key that follows from `seed`; `None` if the crypto provider takes none.
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { pair, seed: Zeroizing::new(*seed) })
    }

    /// What it follows from.
    #[must_use]
    pub const fn seed(&self) -> &Zeroizing<[u8; SEED_LEN]> {
        &self.seed
    }

    /// The signature of `message`; the same each time.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    /// What verifies its signatures.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(public)
    }
}

impl PublicKey {
    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is the key's of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::{from_hex, to_hex};

    #[test]
    fn the_first_example_of_rfc_8032_is_signed_as_it_says() {
        let seed = from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = PrivateKey::from_seed(&seed).unwrap();
        assert_eq!(to_hex(key.public().as_bytes()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = key.sign(b"");
        assert_eq!(
            to_hex(&signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
        assert!(key.public().verifies(b"", &signature) && !key.public().verifies(b"x", &signature));
    }

    #[test]
    fn the_key_is_not_shown() {
        let key = PrivateKey::from_seed(&[7; SEED_LEN]).unwrap();
        assert!(!format!("{key:?}").contains("7, 7, 7"));
    }
}
