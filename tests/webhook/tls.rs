//! TLS: whom a policy believes, and as whom it goes.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tidings::base::outbound::{ClientIdentity, TrustSettings, read_certificates, read_chain};
use tidings::channel::{Sent, Verdict};
use tokio_rustls::TlsAcceptor;

use crate::pki::{Authority, Identity};
use crate::stage::Stage;
use crate::upstream::{Reply, Upstream};

pub(crate) fn acceptor(identity: &Identity, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = builder.with_single_cert(vec![identity.der.clone().into()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) fn trust(authority: &Authority) -> TrustSettings {
    TrustSettings { system: false, certificates: read_certificates(authority.pem().as_bytes()).unwrap() }
}

fn stage(port: u16) -> Stage {
    let stage = Stage::with(&[&format!("127.0.0.1:{port}")]);
    stage.names.tell("localhost", &[&["127.0.0.1"]]);
    stage.names.tell("other.test", &[&["127.0.0.1"]]);
    stage
}

fn expect_tls(sent: &Sent, says: &str) {
    assert_eq!((sent.reason.as_str(), sent.status), ("tls", None), "{sent:?}");
    assert_eq!(sent.verdict, Verdict::Fault { retry_after: None, slow: false });
    assert!(sent.detail.contains(says) && !sent.detail.contains("s3cret"), "{sent:?}");
}

#[tokio::test]
async fn a_policy_believes_its_own_authorities_in_place_of_all_others() {
    let (plant, other) = (Authority::new("plant"), Authority::new("other"));
    let upstream = Upstream::start_tls(Reply::ok("x"), acceptor(&plant.issue("hook"), None)).await;
    let port = upstream.address.port();
    let url = format!("https://localhost:{port}/?key=s3cret");
    let send = async |house: Option<&Authority>, policy: Option<&Authority>| {
        let mut stage = stage(port).tuned(|tuned| tuned.egress.trust = policy.map(trust));
        stage.trust = house.map_or(stage.trust, trust);
        stage.send(&url).await
    };
    for (house, policy) in [(Some(&plant), None), (None, Some(&plant)), (Some(&other), Some(&plant))] {
        assert_eq!(send(house, policy).await.verdict, Verdict::Delivered);
    }
    for (house, policy) in [(None, None), (Some(&other), None), (Some(&plant), Some(&other))] {
        expect_tls(&send(house, policy).await, "UnknownIssuer");
    }
    assert_eq!(upstream.hits(), 3);
}

#[tokio::test]
async fn a_certificate_has_to_be_good_and_the_server_s() {
    let plant = Authority::new("plant");
    for (identity, host, says) in [
        (plant.issue_for("hook", 2001, 2002), "localhost", "expired"),
        (plant.issue_for("hook", 2080, 2090), "localhost", "not valid yet"),
        (plant.issue("hook"), "other.test", "other.test"),
    ] {
        let upstream = Upstream::start_tls(Reply::ok("x"), acceptor(&identity, None)).await;
        let port = upstream.address.port();
        let stage = stage(port).tuned(|policy| policy.egress.trust = Some(trust(&plant)));
        let sent = stage.send(&format!("https://{host}:{port}/?key=s3cret")).await;
        expect_tls(&sent, says);
        assert!(sent.phases.connect.is_some() && sent.phases.answer.is_none() && upstream.hits() == 0);
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_none() {
    for reply in [Reply::Closed, Reply::ok("x")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closes = matches!(reply, Reply::Closed);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
            if !closes {
                let plain = b"HTTP/1.1 400 Bad Request\r\n\r\n";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, plain).await;
            }
        });
        expect_tls(&stage(address.port()).send(&format!("https://{address}/?key=s3cret")).await, "");
    }
}

#[tokio::test]
async fn a_policy_shows_its_certificate_to_a_server_that_wants_one() {
    let (plant, clients, strangers) = (Authority::new("plant"), Authority::new("clients"), Authority::new("strangers"));
    let upstream = Upstream::start_tls(Reply::ok("x"), acceptor(&plant.issue("hook"), Some(&clients))).await;
    let port = upstream.address.port();
    let send = async |identity: Option<Identity>| {
        let identity = identity.map(|identity| {
            let chain = read_chain(identity.certificate.as_bytes()).unwrap();
            ClientIdentity::new(chain, identity.key.as_bytes()).unwrap()
        });
        let tune = |policy: &mut tidings::channel::webhook::WebhookPolicy| {
            (policy.egress.trust, policy.egress.identity) = (Some(trust(&plant)), identity);
        };
        stage(port).tuned(tune).send(&format!("https://localhost:{port}/?key=s3cret")).await
    };
    assert_eq!(send(Some(clients.issue("tidings"))).await.verdict, Verdict::Delivered);
    // With TLS 1.3 the server says so only after the handshake has ended for us.
    expect_tls(&send(None).await, "");
    expect_tls(&send(Some(strangers.issue("tidings"))).await, "");
    assert_eq!(upstream.hits(), 1);
}
