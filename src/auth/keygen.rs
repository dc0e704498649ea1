//! New secrets and API keys, and the form in which their hashes stand in the files; new secrets of webhooks, which have
//! to be there themselves.
//!
//! A client's secret is `sha256:<64 hexadecimal digits>` there, an API key `sha256:<its public characters>:<64 digits>`,
//! which is the hash of the whole key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::api_keys::{PREFIX, PUBLIC_LEN, is_public};
use super::settings::KeptKey;
use crate::base::random::Random;
use crate::base::secret::{SecretHash, SecretString};

/// What a hash begins with.
const ALGORITHM: &str = "sha256:";
/// Base 32 of RFC 4648 in small letters: nothing that has to be escaped anywhere, and a double click selects it whole.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// How many characters a secret has: 260 bits.
const SECRET_LEN: usize = 52;
/// What a secret of webhooks begins with (Standard Webhooks 1.0.0).
const WEBHOOK_PREFIX: &str = "whsec_";
/// How many bytes it has, of the 24 to 64 that there may be: as many as HMAC-SHA256 gives.
const WEBHOOK_LEN: usize = 32;

/// Something new that is shown once, and what the files keep of it.
#[derive(Debug)]
pub struct NewSecret {
    /// The secret or the whole key.
    pub text: SecretString,
    /// What stands for it in the files.
    pub hash: String,
}

/// A new secret of a client.
#[must_use]
pub fn new_client_secret(random: &dyn Random) -> NewSecret {
    let text = characters(random, SECRET_LEN);
    let hash = format!("{ALGORITHM}{}", SecretHash::of(text.as_bytes()).to_hex());
    NewSecret { text: text.into(), hash }
}

/// A new API key.
#[must_use]
pub fn new_api_key(random: &dyn Random) -> NewSecret {
    let public = characters(random, PUBLIC_LEN);
    let text = format!("{PREFIX}{public}_{}", characters(random, SECRET_LEN));
    let hash = format!("{ALGORITHM}{public}:{}", SecretHash::of(text.as_bytes()).to_hex());
    NewSecret { text: text.into(), hash }
}

/// A new secret that webhooks are signed with.
#[must_use]
pub fn new_webhook_secret(random: &dyn Random) -> SecretString {
    let mut key = Zeroizing::new([0; WEBHOOK_LEN]);
    random.fill(&mut *key);
    format!("{WEBHOOK_PREFIX}{}", STANDARD.encode(*key)).into()
}

/// The hash of a client's secret in the form of [`new_client_secret`]; `None` if it has another.
#[must_use]
pub fn client_hash(text: &str) -> Option<SecretHash> {
    SecretHash::from_hex(text.strip_prefix(ALGORITHM)?)
}

/// The hash of an API key in the form of [`new_api_key`]; `None` if it has another.
#[must_use]
pub fn api_key_hash(text: &str) -> Option<KeptKey> {
    let (public, hash) = text.strip_prefix(ALGORITHM)?.split_once(':')?;
    let hash = SecretHash::from_hex(hash)?;
    is_public(public).then(|| KeptKey { public: public.to_owned(), secret: hash.into() })
}

fn characters(random: &dyn Random, count: usize) -> String {
    let mut bytes = vec![0; count];
    random.fill(&mut bytes);
    // Five bits of each byte: no character is likelier than another.
    bytes.into_iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::api_keys::public_of;
    use crate::base::random::SeededRandomness;
    use crate::base::secret::ExposeSecret;

    #[test]
    fn what_is_made_is_right_by_its_hash() {
        let random = SeededRandomness::new(1);
        let NewSecret { text, hash } = new_client_secret(&random);
        assert!(client_hash(&hash).unwrap().matches(text.expose_secret().as_bytes()));
        assert!(api_key_hash(&hash).is_none());

        let NewSecret { text, hash } = new_api_key(&random);
        let kept = api_key_hash(&hash).unwrap();
        assert!(kept.secret.hash.matches(text.expose_secret().as_bytes()));
        assert_eq!(public_of(text.expose_secret()), Some(&*kept.public));
        assert_eq!(text.expose_secret().len(), 4 + 8 + 1 + 52);
        assert!(client_hash(&hash).is_none());
        assert_ne!(new_api_key(&random).text.expose_secret(), text.expose_secret());
    }

    #[test]
    fn other_forms_are_no_hashes() {
        let digits = "ab".repeat(32);
        for bad in [
            String::new(),
            digits.clone(),
            format!("sha512:{digits}"),
            format!("sha256:{digits}0"),
            format!("sha256:abc:{digits}"),
        ] {
            assert!(client_hash(&bad).is_none() && api_key_hash(&bad).is_none(), "{bad}");
        }
    }
}
