//! Whose certificates are believed: `[trust] ca`.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::identity::ClientIdentity;

/// Whose certificates are believed in outbound TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSettings {
    /// Those that the machine's own store has.
    pub system: bool,
    /// Further ones, read from files.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl Default for TrustSettings {
    /// The machine's store alone.
    fn default() -> Self {
        Self { system: true, certificates: Vec::new() }
    }
}

/// Why a text is no list of certificates of authorities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It has none in it.
    #[error("has no certificate in PEM form (-----BEGIN CERTIFICATE-----) in it")]
    None,
    /// One of them cannot be read.
    #[error("certificate {number} in it cannot be read: {detail}")]
    Unreadable {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        detail: String,
    },
}

/// The certificates in a PEM text; there is at least one, and each can be that of an authority.
pub fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let unreadable = |detail: String| CertificateError::Unreadable { number: index + 1, detail };
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        store.add(certificate.clone()).map_err(|error| unreadable(error.to_string()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() { Err(CertificateError::None) } else { Ok(certificates) }
}

/// What TLS connections are begun with; the machine's store is read when it is first needed.
pub(super) struct Trust {
    settings: TrustSettings,
    identity: Option<ClientIdentity>,
    config: OnceLock<ClientConfig>,
}

impl Trust {
    pub(super) const fn new(settings: TrustSettings) -> Self {
        Self { settings, identity: None, config: OnceLock::new() }
    }

    /// The same with other authorities, where there are any, and as somebody. TLS sessions are shared with nobody: one
    /// that is taken up again is not asked for certificates.
    pub(super) fn variant(&self, settings: Option<TrustSettings>, identity: Option<ClientIdentity>) -> Self {
        let settings = settings.unwrap_or_else(|| self.settings.clone());
        Self { settings, identity, config: OnceLock::new() }
    }

    /// Reads files the first time, which takes some milliseconds.
    pub(super) fn config(&self) -> ClientConfig {
        self.config.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> ClientConfig {
        let mut config = client_config(self.roots());
        if let Some(identity) = &self.identity {
            config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(&identity.0)));
        }
        config
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for certificate in &self.settings.certificates {
            // They were read from files by `read_certificates`, which has tried just this.
            let _ = roots.add(certificate.clone());
        }
        if self.settings.system {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                let problem = found.errors.first().map_or_else(|| "it has none".to_owned(), ToString::to_string);
                tracing::warn!(
                    "the system's store of certificates of authorities cannot be used ({problem}): install it (package \
                     ca-certificates), or name files in trust.ca"
                );
            }
        }
        roots
    }
}

/// For connections without TLS: reqwest wants to know how TLS would be done, and would look for the system's store.
pub(super) fn no_trust() -> ClientConfig {
    client_config(RootCertStore::empty())
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_or_said_to_be_none() {
        let pem = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap().cert.pem();
        assert_eq!(read_certificates(pem.as_bytes()).unwrap().len(), 1);
        assert_eq!(read_certificates(format!("# two\n{pem}{pem}").as_bytes()).unwrap().len(), 2);
        assert_eq!(read_certificates(b""), Err(CertificateError::None));
        assert_eq!(read_certificates(b"some text"), Err(CertificateError::None));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = read_certificates(format!("{pem}{broken}").as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("certificate 2 in it cannot be read: "), "{error}");
    }
}
