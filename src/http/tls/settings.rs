//! `server.tls` and `admin.tls`, ready to be served.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{Error, InconsistentKeys, ServerConfig, SupportedProtocolVersion, version};

use super::certificate::Validity;
use super::material::{CertificateChain, ClientAuthorities, PrivateKey};

/// What is agreed on by ALPN (RFC 7301), best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

static SINCE_12: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];
static SINCE_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

/// The oldest version of TLS that is spoken. Older ones than 1.2 are no more (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

impl TlsVersion {
    fn spoken(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &SINCE_12,
            Self::Tls13 => &SINCE_13,
        }
    }
}

/// Who has to show a client certificate. One that is shown has to be good in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Whoever wants to, such as clients whose tokens are bound to it.
    Optional,
    /// Everybody: without one there is no connection.
    Required,
}

/// Why certificate, key and authorities do not make a server. What each is by itself has been looked at before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The key and the certificate do not belong together.
    #[error("is the key of another certificate")]
    KeyMismatch,
    /// The key is of a kind that cannot be used.
    #[error("cannot be used: {0}")]
    Key(String),
    /// The certificate is of a kind that cannot be used.
    #[error("cannot be used: {0}")]
    Certificate(String),
    /// The authorities cannot be used.
    #[error("cannot be used: {0}")]
    Authorities(String),
}

/// What a server's TCP listeners present and ask for. Cheap to clone.
#[derive(Clone)]
pub struct TlsSettings {
    config: Arc<ServerConfig>,
    validity: Validity,
}

impl TlsSettings {
    /// A server that presents `chain`, has `key`, and asks for client certificates of the authorities in `clients`.
    pub fn new(
        chain: CertificateChain,
        key: PrivateKey,
        oldest: TlsVersion,
        clients: Option<(ClientAuthorities, ClientAuth)>,
    ) -> Result<Self, TlsFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(oldest.spoken())
            .map_err(|error| TlsFault::Certificate(error.to_string()))?;
        let ask_clients = clients.is_some();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some((ClientAuthorities(roots), auth)) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match auth {
                    ClientAuth::Optional => verifier.allow_unauthenticated(),
                    ClientAuth::Required => verifier,
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|e| TlsFault::Authorities(e.to_string()))?)
            }
        };
        let validity = chain.validity();
        let mut config = builder.with_single_cert(chain.chain, key.0).map_err(fault)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        if ask_clients {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { config: Arc::new(config), validity })
    }

    /// From when until when the certificate that is presented is good.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsSettings(until {})", self.validity.not_after.to_rfc3339_seconds())
    }
}

fn fault(error: Error) -> TlsFault {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsFault::KeyMismatch,
        Error::InvalidCertificate(error) => TlsFault::Certificate(format!("{error:?}")),
        // rustls' words for it; they say nothing of the key itself.
        Error::General(words) => TlsFault::Key(words),
        other => TlsFault::Key(other.to_string()),
    }
}
