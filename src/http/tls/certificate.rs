//! What is read off a certificate: until when it is good, and by which name others know it.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use crate::base::clock::Timestamp;
use crate::base::secret::sha256;

/// From when until when a certificate is good (RFC 5280 §4.1.2.5), in whole seconds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: Timestamp,
    /// The last instant.
    pub not_after: Timestamp,
}

impl Validity {
    /// The validity of a certificate in DER; the error is for people.
    pub fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate =
            Certificate::from_der(der).map_err(|error| format!("is not an X.509 certificate: {error}"))?;
        let validity = certificate.tbs_certificate().validity();
        Ok(Self { not_before: instant(validity.not_before), not_after: instant(validity.not_after) })
    }
}

fn instant(time: Time) -> Timestamp {
    let millis = i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis)
}

/// The certificate that a caller has shown and proved to have the key of.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate itself, in DER.
    pub der: Vec<u8>,
    /// Its SHA-256: base64url of it is the `x5t#S256` that tokens are bound to (RFC 8705 §3.1).
    pub thumbprint: [u8; 32],
}

impl ClientCertificate {
    /// The certificate that is `der`.
    #[must_use]
    pub fn new(der: &[u8]) -> Self {
        Self { der: der.to_vec(), thumbprint: sha256(der) }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.thumbprint.map(|byte| format!("{byte:02x}")).concat();
        write!(f, "ClientCertificate({hex})")
    }
}
