//! Connections that are made only to see whether they can be: `tidings check --online`.

use std::time::Duration;

use tidings::base::outbound::{
    Destination, Egress, FaultClass, Names, Outbound, ProxySettings, SendError, Timings, TrustSettings,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::pki::Authority;
use crate::proxy::proxy;
use crate::stage::{Told, policy};
use crate::tls::{acceptor, trust};
use crate::upstream::{Reply, Upstream};

const PATIENCE: Duration = Duration::from_secs(20);

/// A policy that allows these, for a machine that believes `authorities`.
fn egress(allow: &[&str], authorities: TrustSettings, proxy: Option<ProxySettings>) -> Egress {
    let names = Told::default();
    names.tell("localhost", &[&["127.0.0.1"]]);
    let mut settings = policy("plant", allow).egress;
    settings.proxy = proxy;
    Outbound::with_names(authorities, Names::told_by(names)).egress(settings, PATIENCE, 0)
}

fn nobody() -> TrustSettings {
    TrustSettings { system: false, certificates: Vec::new() }
}

async fn reach(egress: &Egress, url: &str) -> Result<Timings, SendError> {
    egress.reach(&Destination::parse(url).unwrap()).await
}

#[tokio::test]
async fn a_connection_is_made_and_nothing_is_sent_over_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, mut heard) = (listener.accept().await.unwrap().0, Vec::new());
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let egress = egress(&[&address.to_string()], nobody(), None);
    let timings = reach(&egress, &format!("http://localhost:{}/hook?key=s3cret", address.port())).await.unwrap();
    assert!(timings.connect.is_some());
    assert_eq!(heard.await.unwrap(), b"");
}

#[tokio::test]
async fn tls_is_spoken_and_certificates_are_verified() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let upstream = Upstream::start_tls(Reply::ok("x"), acceptor(&authority.issue("hook"), None)).await;
    let allow = [upstream.address.to_string()];
    let allow = allow.each_ref().map(String::as_str);
    let url = format!("https://localhost:{}/", upstream.address.port());
    reach(&egress(&allow, trust(&authority), None), &url).await.unwrap();
    let refused = reach(&egress(&allow, trust(&other), None), &url).await.unwrap_err();
    assert_eq!((refused.class, upstream.hits()), (FaultClass::Tls, 0), "{refused}");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn the_policy_is_asked_first() {
    let upstream = Upstream::start(Reply::ok("x")).await;
    let refused = reach(&egress(&["10.0.0.0/8:443"], nobody(), None), &upstream.url("")).await.unwrap_err();
    assert_eq!((refused.class, upstream.connections()), (FaultClass::Refused, 0), "{refused}");
}

#[tokio::test]
async fn who_does_not_listen_or_does_not_exist_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let egress = egress(&[&free.to_string()], nobody(), None);
    let closed = reach(&egress, &format!("http://{free}/")).await.unwrap_err();
    assert_eq!(closed.class, FaultClass::ConnectRefused, "{closed}");
    let unknown = reach(&egress, &format!("http://nobody.test:{}/", free.port())).await.unwrap_err();
    assert_eq!(unknown.class, FaultClass::Name, "{unknown}");
}

#[tokio::test]
async fn a_proxy_makes_the_tunnel() {
    let authority = Authority::new("authority");
    let upstream = Upstream::start_tls(Reply::ok("x"), acceptor(&authority.issue("hook"), None)).await;
    let (address, heads) = proxy(upstream.address, true).await;
    let way = ProxySettings::parse(&format!("http://{address}")).unwrap();
    let egress = egress(&["localhost:443"], trust(&authority), Some(way));
    reach(&egress, "https://localhost/hook?key=s3cret").await.unwrap();
    assert!(heads.lock()[0].starts_with("CONNECT localhost:443 HTTP/1.1\r\n"), "{heads:?}");
    assert_eq!(upstream.hits(), 0);
}
