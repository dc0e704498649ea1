//! Through a proxy, which looks names up by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings::base::outbound::{ProxySettings, TrustSettings, read_certificates};
use tidings::channel::{Sent, Verdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stage::Stage;
use crate::upstream::{Reply, Upstream};

/// A proxy that connects everything to one place, and the heads of what it was asked for.
pub(crate) async fn proxy(to: SocketAddr, connects: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&heads);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            noted.lock().push(head.clone());
            tokio::spawn(async move {
                if !connects {
                    return stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                }
                let mut server = TcpStream::connect(to).await.unwrap();
                if head.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                } else {
                    server.write_all(head.as_bytes()).await.unwrap();
                }
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (address, heads)
}

fn stage(proxy: &ProxySettings, allow: &[&str]) -> Stage {
    Stage::with(allow).tuned(|policy| policy.egress.proxy = Some(proxy.clone()))
}

fn refused(sent: &Sent, says: &str) {
    assert!(sent.reason == "egress-refused" && sent.detail.contains(says), "{sent:?}");
}

#[tokio::test]
async fn plain_http_is_handed_to_the_proxy_whole() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let (address, heads) = proxy(upstream.address, true).await;
    // Nobody has told what the name of the target is: nobody is asked. The proxy's own name is looked up.
    let way = ProxySettings::parse(&format!("http://proxy.test:{}", address.port())).unwrap();
    let stage = stage(&way, &["*.example.com:80"]);
    stage.names.tell("proxy.test", &[&["127.0.0.1"]]);
    let sent = stage.send("http://hook.example.com/a?key=s3cret").await;
    assert_eq!(sent.verdict, Verdict::Delivered, "{sent:?}");
    assert!(heads.lock()[0].starts_with("POST http://hook.example.com/a?key=s3cret HTTP/1.1\r\n"), "{heads:?}");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_end_to_end() {
    let made = rcgen::generate_simple_self_signed(vec!["hook.example.com".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let upstream = Upstream::start_tls(Reply::ok("x"), TlsAcceptor::from(Arc::new(config))).await;
    let (address, heads) = proxy(upstream.address, true).await;
    let way = ProxySettings::parse(&format!("http://{address}")).unwrap();
    let way = way.with_credentials("tidings".to_owned(), "pass".to_owned().into());
    let certificates = read_certificates(made.cert.pem().as_bytes()).unwrap();
    let stage = stage(&way, &["hook.example.com:443"])
        .tuned(|policy| policy.egress.trust = Some(TrustSettings { system: false, certificates }));
    let sent = stage.send("https://hook.example.com/a?key=s3cret").await;
    assert_eq!(sent.verdict, Verdict::Delivered, "{sent:?}");
    let head = heads.lock()[0].clone();
    assert!(head.starts_with("CONNECT hook.example.com:443 HTTP/1.1\r\n") && !head.contains("s3cret"), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic dglkaw5nczpwyxnz\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_is_a_fault_of_its_own() {
    let (address, _) = proxy("127.0.0.1:1".parse().unwrap(), false).await;
    let way = ProxySettings::parse(&format!("http://{address}")).unwrap();
    let sent = stage(&way, &["*.example.com:443"]).send("https://hook.example.com/?key=s3cret").await;
    assert_eq!((sent.reason.as_str(), sent.status), ("proxy", None), "{sent:?}");
    assert!(!sent.detail.contains("s3cret"), "{sent:?}");
}

#[tokio::test]
async fn the_policy_judges_names_ports_and_addresses_before_the_proxy_is_asked() {
    let (address, heads) = proxy("127.0.0.1:1".parse().unwrap(), true).await;
    let way = ProxySettings::parse(&format!("http://{address}")).unwrap();
    let stage = stage(&way, &["*.example.com:443", "public:443", "10.0.0.0/8:443"]);
    for (url, says) in [
        ("https://hook.example.org/", "has no entry for the name hook.example.org at port 443"),
        ("https://hook.example.com:8443/", "has no entry for port 8443"),
        ("http://hook.example.com/", "has no entry for port 80"),
        ("https://127.0.0.1/", "only an entry \"127.0.0.1:443\" would"),
        ("https://192.168.0.1/", "has no entry that covers 192.168.0.1:443"),
        ("https://[::ffff:169.254.169.254]/", "a metadata address"),
        ("https://8.8.8.8/", "names hosts, and does not allow 8.8.8.8:443 by its address"),
    ] {
        refused(&stage.send(url).await, says);
    }
    assert!(heads.lock().is_empty());
}
