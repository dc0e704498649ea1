//! The certificate that we show to servers which ask for one.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::trust::{CertificateError, read_certificates};

/// A certificate with those that lead to its authority, and its private key.
#[derive(Clone)]
pub struct ClientIdentity(pub(super) Arc<CertifiedKey>);

/// Why there is no identity. Nothing of the key is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// The certificates cannot be read.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The key is none.
    #[error("has no private key in PEM form (-----BEGIN PRIVATE KEY-----) without a passphrase in it")]
    Key,
    /// They do not belong together.
    #[error("is not the private key of the first certificate")]
    Mismatch,
}

/// The certificates in a PEM text, the own one first; there is at least one.
pub fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(chain) if chain.is_empty() => Err(CertificateError::None),
        Ok(chain) => Ok(chain),
        // To say which of them.
        Err(_) => read_certificates(pem),
    }
}

impl ClientIdentity {
    /// The certificates of `chain`, the own one first, with the key in a PEM text.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &[u8]) -> Result<Self, IdentityFault> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityFault::Key)?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => IdentityFault::Mismatch,
            Error::InvalidCertificate(_) => {
                IdentityFault::Certificate(CertificateError::Unreadable { number: 1, detail: error.to_string() })
            }
            _ => IdentityFault::Key,
        })?;
        Ok(Self(Arc::new(key)))
    }

    /// The own certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.0.cert.first()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({} certificates, …)", self.0.cert.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let made = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let chain = || read_chain(made.cert.pem().as_bytes()).unwrap();
        let identity = ClientIdentity::new(chain(), made.signing_key.serialize_pem().as_bytes()).unwrap();
        assert_eq!(format!("{identity:?}"), "ClientIdentity(1 certificates, …)");
        assert_eq!(ClientIdentity::new(chain(), other.as_bytes()).unwrap_err(), IdentityFault::Mismatch);
        assert_eq!(ClientIdentity::new(chain(), b"no key").unwrap_err(), IdentityFault::Key);
        assert_eq!(read_chain(b"no certificate"), Err(CertificateError::None));
    }
}
