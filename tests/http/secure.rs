//! TLS on both sides of a test.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tidings::http::settings::{ListenAddress, ServerSettings};
use tidings::http::tls::{CertificateChain, ClientAuth, ClientAuthorities, PrivateKey, TlsSettings, TlsVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, soon};
use crate::pki::{Authority, Identity};
use crate::toy::{Running, settings};

/// An authority, a server that it has certified, and how to speak with that.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    server: Identity,
}

impl Site {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("test authority");
        let server = authority.issue("server");
        Self { authority, server }
    }

    pub(crate) fn tls(&self, oldest: TlsVersion, clients: Option<(&Authority, ClientAuth)>) -> TlsSettings {
        tls_of(&self.server, oldest, clients)
    }

    /// Settings with TLS that no test comes up against unless it wants to.
    pub(crate) fn settings(&self) -> ServerSettings {
        ServerSettings { tls: Some(self.tls(TlsVersion::Tls12, None)), ..settings() }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { roots: self.authority.pem(), versions: vec![&version::TLS12, &version::TLS13], ..Caller::default() }
    }
}

pub(crate) fn tls_of(
    identity: &Identity,
    oldest: TlsVersion,
    clients: Option<(&Authority, ClientAuth)>,
) -> TlsSettings {
    let chain = CertificateChain::from_pem(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKey::from_pem(identity.key.as_bytes()).unwrap();
    let clients =
        clients.map(|(authority, auth)| (ClientAuthorities::from_pem(authority.pem().as_bytes()).unwrap(), auth));
    TlsSettings::new(chain, key, oldest, clients).unwrap()
}

/// Who calls, and how.
#[derive(Default)]
pub(crate) struct Caller {
    roots: String,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<&'static str>,
    identity: Option<(String, String)>,
}

impl Caller {
    pub(crate) fn only(self, version: &'static SupportedProtocolVersion) -> Self {
        Self { versions: vec![version], ..self }
    }

    pub(crate) fn speaking(self, protocols: &[&'static str]) -> Self {
        Self { protocols: protocols.to_vec(), ..self }
    }

    pub(crate) fn showing(self, identity: &Identity) -> Self {
        Self { identity: Some((identity.certificate.clone(), identity.key.clone())), ..self }
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.roots.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        config.alpn_protocols = self.protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// The encrypted stream, or why there is none.
    pub(crate) async fn dial(&self, server: &Running) -> std::io::Result<TlsStream<TcpStream>> {
        let ListenAddress::Tcp(address) = server.addresses[0] else { panic!("a TCP address") };
        let socket = soon(TcpStream::connect(address)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        soon(TlsConnector::from(Arc::new(self.config())).connect(name, socket)).await
    }

    /// A connection that speaks HTTP/1.1.
    pub(crate) async fn connect(&self, server: &Running) -> Client {
        Client::over(self.dial(server).await.unwrap())
    }
}
