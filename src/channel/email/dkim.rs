//! DKIM signatures (RFC 6376), with RSA or Ed25519 (RFC 8463).
//!
//! The signature's own time is the machine's, not the ledger's: the signing crate reads it. It has no expiry.

use std::fmt;

use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, SigningKey as _};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::{DkimSigner, Done};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The headers that are signed, those too that a message does not have: nobody on the way can add one (RFC 6376, 5.4.2).
const SIGNED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "List-Unsubscribe",
];

/// Signs messages for a domain.
pub struct Dkim {
    domain: String,
    selector: String,
    signer: DkimSigner<DkimKey, Done>,
}

impl Dkim {
    /// Signs for `domain` with the private key in `pem` (PKCS#8, or PKCS#1 for RSA), whose public key is at
    /// `selector._domainkey.domain`. The error is for people and does not show the key.
    pub fn new(domain: &str, selector: &str, pem: &[u8]) -> Result<Self, String> {
        let signer = DkimSigner::from_key(read_key(pem)?).domain(domain).selector(selector).headers(SIGNED);
        Ok(Self { domain: domain.to_owned(), selector: selector.to_owned(), signer })
    }

    /// The domain that is signed for.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Puts the signature before `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let signature = self.signer.sign(message).map_err(|error| error.to_string())?;
        let mut signed = signature.to_header().into_bytes();
        signed.extend_from_slice(message);
        Ok(signed)
    }
}

impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, selector, signer } = self;
        write!(f, "Dkim({selector}._domainkey.{domain}, {:?}, …)", signer.key.algorithm())
    }
}

fn read_key(pem: &[u8]) -> Result<DkimKey, String> {
    const FORM: &str = "must be a private key in PEM form, RSA of at least 2048 bits or Ed25519";
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| format!("{FORM} (-----BEGIN PRIVATE KEY-----)"))?;
    if let PrivateKeyDer::Pkcs8(der) = &key
        && let Ok(key) = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())
    {
        return Ok(key.into());
    }
    // What the crypto provider says of a key that it refuses is a word without sense to people.
    RsaKey::from_key_der(key).map(DkimKey::from).map_err(|_| FORM.to_owned())
}
