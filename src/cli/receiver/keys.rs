//! The keys that signatures are checked with.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Failure};

/// The largest file that holds a secret, in bytes.
const MAX_FILE: u64 = 4096;

/// A key that signatures are checked with (Standard Webhooks, "Signature scheme").
pub(super) enum Key {
    /// `v1`: HMAC-SHA256 with a shared secret.
    Secret(Box<hmac::Key>),
    /// `v1a`: Ed25519.
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl Key {
    /// The secret in `whsec_…`. What is wrong with it is said without it.
    pub(super) fn secret(text: &str) -> Result<Self, Failure> {
        let key = decode(text, "whsec_").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| usage("a secret is whsec_ and a key in base64"))?;
        Ok(Self::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key))))
    }

    /// The secret in a file, with or without a line end behind it.
    pub(super) fn secret_of_file(file: &Path) -> Result<Self, Failure> {
        let mut text = Zeroizing::new(String::new());
        let opened = std::fs::File::open(file);
        let read = opened.and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
        let shown = file.display();
        read.map_err(|error| Failure::new(Exit::Io, format!("cannot read {shown}: {error}")))?;
        Self::secret(text.trim_end()).map_err(|Failure { exit, text }| Failure::new(exit, format!("{shown}: {text}")))
    }

    /// The public key in `whpk_…`.
    pub(super) fn public(text: &str) -> Result<Self, Failure> {
        let key = decode(text, "whpk_").filter(|key| key.len() == ED25519_PUBLIC_KEY_LEN);
        let key = key.ok_or_else(|| usage("a public key is whpk_ and the 32 bytes of an Ed25519 key in base64"))?;
        Ok(Self::Public(UnparsedPublicKey::new(&ED25519, key.to_vec())))
    }

    /// The version of the signatures that it checks.
    pub(super) const fn version(&self) -> &'static str {
        match self {
            Self::Secret(_) => "v1",
            Self::Public(_) => "v1a",
        }
    }

    /// Whether `signature` is this key's for `content`.
    pub(super) fn verifies(&self, content: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(key) => hmac::verify(key, content, signature).is_ok(),
            Self::Public(key) => key.verify(content, signature).is_ok(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.version())
    }
}

fn decode(text: &str, prefix: &str) -> Option<Zeroizing<Vec<u8>>> {
    STANDARD.decode(text.strip_prefix(prefix)?).ok().map(Zeroizing::new)
}

fn usage(text: &str) -> Failure {
    Failure::new(Exit::Usage, text)
}
