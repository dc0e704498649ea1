//! Secrets in memory: never printed, wiped when dropped, compared in constant time.

use aws_lc_rs::digest;
pub use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What is kept of a secret that need only be compared: its SHA-256.
///
/// Machines' secrets are random and long: a slow hash would buy nothing.
#[derive(Clone)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of `secret`.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    /// The hash that `text` shows in 64 hexadecimal digits; `None` if it is none.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }

    /// The 64 hexadecimal digits of the hash, for the files.
    #[must_use]
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }

    /// Whether `presented` is the secret. The time it takes does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.is(&Self::of(presented))
    }

    /// Whether the two are of the same secret. The time it takes does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// SHA-256 (FIPS 180-4) of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of several fields, each preceded by its length, so that no two lists of fields share one.
#[must_use]
pub fn sha256_fields<'a>(fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for field in fields {
        match field {
            None => context.update(&u64::MAX.to_le_bytes()),
            Some(bytes) => {
                context.update(&(bytes.len() as u64).to_le_bytes());
                context.update(bytes);
            }
        }
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// `bytes` in small hexadecimal digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// The 32 bytes that 64 hexadecimal digits show; `None` if `text` is something else.
#[must_use]
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, half| byte << 4 | half)).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_secret_only() {
        let hash = SecretHash::of(b"s3cret");
        assert!(hash.matches(b"s3cret"));
        assert!(!hash.matches(b"s3cret "));
        assert_eq!(format!("{hash:?}"), "SecretHash(…)");
    }

    #[test]
    fn a_hash_is_the_same_after_a_file() {
        let text = SecretHash::of(b"s3cret").to_hex();
        assert_eq!(text.len(), 64);
        assert!(SecretHash::from_hex(&text).unwrap().matches(b"s3cret"));
        assert!(SecretHash::from_hex(&text.to_uppercase()).unwrap().matches(b"s3cret"));
        for bad in ["", &text[1..], &format!("{text}0"), &format!("{}g", &text[1..]), &"é".repeat(32)] {
            assert!(SecretHash::from_hex(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn fields_do_not_run_together() {
        assert_ne!(
            sha256_fields([Some(b"ab".as_slice()), Some(b"c")]),
            sha256_fields([Some(b"a".as_slice()), Some(b"bc")])
        );
        assert_ne!(sha256_fields([None]), sha256_fields([Some(b"".as_slice())]));
    }
}
