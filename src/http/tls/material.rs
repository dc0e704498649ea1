//! Certificates and keys from PEM (RFC 7468). What exists has been read and found to be usable by itself.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificate::Validity;

/// A server's certificate and those that lead from it to an authority, in this order.
#[derive(Clone)]
pub struct CertificateChain {
    pub(super) chain: Vec<CertificateDer<'static>>,
    validity: Validity,
}

impl CertificateChain {
    /// Reads the certificates of a PEM file, the server's own first; the error is for people.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let chain = certificates(pem)?;
        let validity = chain.iter().map(Validity::of).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { chain, validity: validity[0] })
    }

    /// From when until when the server's own certificate is good.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateChain({} certificates)", self.chain.len())
    }
}

/// A private key. Never shown.
pub struct PrivateKey(pub(super) PrivateKeyDer<'static>);

impl PrivateKey {
    /// Reads the first private key of a PEM text, in PKCS#8, SEC1 or PKCS#1; the error is for people and shows nothing
    /// of it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        if contains(pem, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(pem, b"Proc-Type: 4,ENCRYPTED") {
            return Err(
                "holds a private key under a passphrase: store it without one (openssl pkey -in … -out …), readable by \
                 the service alone"
                    .to_owned(),
            );
        }
        PrivateKeyDer::from_pem_slice(pem).map(Self).map_err(|_| {
            "holds no private key in PEM: it must have a section -----BEGIN PRIVATE KEY----- (or EC PRIVATE KEY, RSA \
             PRIVATE KEY)"
                .to_owned()
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// The authorities whose client certificates are taken.
#[derive(Clone, Debug)]
pub struct ClientAuthorities(pub(super) RootCertStore);

impl ClientAuthorities {
    /// Reads a PEM bundle; the error is for people.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates(pem)?.into_iter().enumerate() {
            let number = index + 1;
            roots
                .add(certificate)
                .map_err(|error| format!("the certificate number {number} in it is no CA's: {error}"))?;
        }
        Ok(Self(roots))
    }
}

/// The certificates of a PEM text, at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|error| format!("is not PEM: {error}"))?;
        if kind == SectionKind::Certificate {
            found.push(CertificateDer::from(der));
        }
    }
    if found.is_empty() {
        return Err("holds no certificate in PEM: it must have a section -----BEGIN CERTIFICATE-----".to_owned());
    }
    Ok(found)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
