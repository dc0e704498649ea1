//! Outbound HTTP against a real server: where it goes, whom it believes, and how much it takes.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::Mutex;
use rustls::pki_types::PrivateKeyDer;
use tidings::base::outbound::{
    Answer, Client, ClientSettings, Destination, FaultClass, OnlyHost, Outbound, OutboundRequest, Policy, Refusal,
    SendError, TrustSettings, read_certificates,
};
use tokio_rustls::TlsAcceptor;
use upstream::{Reply, Upstream};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
const CAP: usize = 1000;

/// Allows loopback addresses, and notes what it was asked for.
#[derive(Default)]
struct Noting(Mutex<Vec<(String, SocketAddr)>>);

impl Policy for Noting {
    fn check_name(&self, _: &str, _: u16) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), Refusal> {
        self.0.lock().push((host.to_owned(), address));
        address.ip().is_loopback().then_some(()).ok_or_else(|| Refusal(String::new()))
    }
}

struct Nothing;

impl Policy for Nothing {
    fn check_name(&self, _: &str, _: u16) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_address(&self, _: &str, address: SocketAddr) -> Result<(), Refusal> {
        Err(Refusal(format!("no policy allows connections to {address}")))
    }
}

fn outbound() -> Outbound {
    Outbound::new(TrustSettings { system: false, certificates: Vec::new() })
}

fn client(outbound: &Outbound, secure: bool, port: u16, policy: Arc<dyn Policy>) -> Client {
    let settings = ClientSettings { secure, port, connect_timeout: PATIENCE, idle_connections: 1 };
    outbound.client(settings, policy).unwrap()
}

fn get(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: Method::GET,
        to: Destination::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: PATIENCE,
        max_answer: CAP,
        drain: 0,
    }
}

async fn ask(upstream: &Upstream, url: &str, policy: Arc<dyn Policy>) -> Result<Answer, SendError> {
    client(&outbound(), false, upstream.address.port(), policy).send(get(url)).await
}

#[tokio::test]
async fn a_request_goes_out_as_it_is_and_the_answer_comes_back() {
    let upstream = Upstream::start(Reply::Whole(404, "X-A: b\r\n".to_owned(), b"no".to_vec())).await;
    let request = OutboundRequest {
        method: Method::POST,
        headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("text/x"))]),
        body: Bytes::from_static(b"hello"),
        ..get(&upstream.url("a?b=c"))
    };
    let to = Arc::new(OnlyHost::of(&request.to));
    let answer = client(&outbound(), false, upstream.address.port(), to).send(request).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..], answer.complete), (404, &b"no"[..], true));
    assert_eq!(answer.headers["x-a"], "b");
    let sent = &upstream.requests()[0];
    assert!(sent.starts_with("POST /a?b=c HTTP/1.1\r\n") && sent.ends_with("\r\n\r\nhello"), "{sent}");
    assert!(sent.contains("content-type: text/x\r\n") && sent.contains("user-agent: tidings/"), "{sent}");
}

#[tokio::test]
async fn the_policy_sees_every_address_in_every_notation() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let port = upstream.address.port();
    for host in ["127.0.0.1", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST"] {
        let url = format!("http://{host}:{port}/");
        let refused = ask(&upstream, &url, Arc::new(Nothing)).await.unwrap_err();
        assert!(
            refused.class == FaultClass::Refused && refused.detail.contains("no policy allows"),
            "{host}: {refused:?}"
        );
        assert_eq!(upstream.hits(), 0, "{host}");
    }
    for host in ["127.0.0.1", "2130706433", "localhost"] {
        let noting = Arc::new(Noting::default());
        let before = upstream.hits();
        ask(&upstream, &format!("http://{host}:{port}/"), noting.clone()).await.unwrap();
        assert_eq!(upstream.hits(), before + 1, "{host}");
        let asked = noting.0.lock().clone();
        assert!(asked.iter().any(|(_, address)| *address == upstream.address), "{host}: {asked:?}");
        let expected = if host == "localhost" { "localhost" } else { "127.0.0.1" };
        assert!(asked.iter().all(|(named, _)| named == expected), "{host}: {asked:?}");
    }
    let noting = Arc::new(Noting::default());
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}/");
    // Whether the machine routes the mapped form or not: the policy was asked for the IPv4 address.
    let _ = ask(&upstream, &mapped, noting.clone()).await;
    assert_eq!(noting.0.lock()[0].1.ip(), IpAddr::from([127, 0, 0, 1]));
}

#[tokio::test]
async fn another_port_or_scheme_is_refused() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let client = client(&outbound(), false, upstream.address.port(), Arc::new(Noting::default()));
    let port = upstream.address.port();
    for url in [format!("http://127.0.0.1:{}/", port ^ 1), format!("https://127.0.0.1:{port}/")] {
        let refused = client.send(get(&url)).await.unwrap_err();
        assert!(refused.class == FaultClass::Refused, "{url}: {refused:?}");
    }
    assert_eq!(upstream.hits(), 0);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let elsewhere = Upstream::start(Reply::ok("secret")).await;
    let location = format!("Location: {}\r\n", elsewhere.url(""));
    let upstream = Upstream::start(Reply::Whole(302, location, Vec::new())).await;
    let answer = ask(&upstream, &upstream.url(""), Arc::new(Noting::default())).await.unwrap();
    assert_eq!(answer.status.as_u16(), 302);
    assert_eq!((upstream.hits(), elsewhere.hits()), (1, 0));
}

#[tokio::test]
async fn an_answer_is_read_to_its_cap_and_no_further() {
    let upstream = Upstream::start(Reply::ok(vec![b'x'; CAP])).await;
    let url = upstream.url("");
    let answer = ask(&upstream, &url, Arc::new(Noting::default())).await.unwrap();
    assert_eq!((answer.body.len(), answer.complete), (CAP, true));
    for reply in [Reply::ok(vec![b'x'; CAP + 1]), Reply::Endless] {
        upstream.reply(reply);
        let answer = ask(&upstream, &url, Arc::new(Noting::default())).await.unwrap();
        assert_eq!((answer.body.len(), answer.complete), (CAP, false));
    }
}

#[tokio::test]
async fn silence_ends_with_the_time_limit_and_a_lost_connection_at_once() {
    let upstream = Upstream::start(Reply::Silence).await;
    let client = client(&outbound(), false, upstream.address.port(), Arc::new(Noting::default()));
    let timeout = Duration::from_millis(50);
    let request = OutboundRequest { timeout, ..get(&upstream.url("")) };
    let late = client.send(request).await.unwrap_err();
    assert!(late.class == FaultClass::Timeout && late.detail.contains("50ms"), "{late:?}");
    upstream.reply(Reply::Closed);
    let lost = client.send(get(&upstream.url("a?token=s3cret"))).await.unwrap_err();
    assert!(lost.class == FaultClass::HangUp && !lost.detail.contains("s3cret"), "{lost:?}");
}

#[tokio::test]
async fn tls_believes_the_named_authority_alone() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let upstream = Upstream::start_tls(Reply::ok("x"), TlsAcceptor::from(Arc::new(server))).await;
    let port = upstream.address.port();
    let trusting = Outbound::new(TrustSettings {
        system: false,
        certificates: read_certificates(made.cert.pem().as_bytes()).unwrap(),
    });
    let policy = || Arc::new(Noting::default());
    let by_name = get(&format!("https://localhost:{port}/"));
    assert_eq!(&client(&trusting, true, port, policy()).send(by_name.clone()).await.unwrap().body[..], b"x");

    let by_address = get(&format!("https://127.0.0.1:{port}/"));
    let other_name = client(&trusting, true, port, policy()).send(by_address).await.unwrap_err();
    assert!(other_name.class == FaultClass::Tls && other_name.detail.contains("certificate"), "{other_name:?}");
    for other in [outbound(), Outbound::new(TrustSettings::default())] {
        let unknown = client(&other, true, port, policy()).send(by_name.clone()).await.unwrap_err();
        assert!(unknown.class == FaultClass::Tls && unknown.detail.contains("certificate"), "{unknown:?}");
    }
    assert_eq!(upstream.hits(), 1);
}
