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

    /// Whether `presented` is the secret. The time it takes does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(&sha256(presented)).into()
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
    fn fields_do_not_run_together() {
        assert_ne!(
            sha256_fields([Some(b"ab".as_slice()), Some(b"c")]),
            sha256_fields([Some(b"a".as_slice()), Some(b"bc")])
        );
        assert_ne!(sha256_fields([None]), sha256_fields([Some(b"".as_slice())]));
    }
}
