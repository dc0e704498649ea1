//! TLS for a measurement: a certificate of its own, and connections that trust nothing else.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::site::local;

/// The certificate of this run, and its key in PEM form; every TLS server of the run presents it.
struct Identity {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

/// A connection with TLS above it.
pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

fn identity() -> io::Result<&'static Identity> {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    if let Some(identity) = IDENTITY.get() {
        return Ok(identity);
    }
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([local(0).ip().to_string()]).map_err(io::Error::other)?;
    let identity = Identity { certificate: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() };
    Ok(IDENTITY.get_or_init(|| identity))
}

/// The TOML that makes a server speak TLS; the files that it names are written to `folder`.
pub(crate) fn settings(folder: &Path) -> io::Result<String> {
    let identity = identity()?;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, &identity.certificate)?;
    std::fs::write(&key, &identity.key)?;
    rustix::fs::chmod(&key, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    Ok(format!("[server.tls]\ncertificate = '{}'\nkey = {{ file = '{}' }}\n", certificate.display(), key.display()))
}

/// Speaks TLS over `stream`, which blocks until the handshake is done.
pub(crate) fn connect(mut stream: TcpStream) -> io::Result<Secure> {
    let mut roots = RootCertStore::empty();
    roots.add(identity()?.der.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(local(0).ip().into());
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    connection.complete_io(&mut stream)?;
    Ok(StreamOwned::new(connection, stream))
}
