//! Handshakes that succeed and that do not, and HTTP/1.1 over TLS.

use std::time::Duration;

use rustls::version;
use tidings::base::secret::sha256;
use tidings::http::settings::{ListenAddress, ServerSettings};
use tidings::http::tls::{
    CertificateChain, ClientAuth, ClientAuthorities, PrivateKey, TlsFault, TlsSettings, TlsVersion,
};

use crate::client::{Client, request};
use crate::pki::Authority;
use crate::secure::{Caller, Site, tls_of};
use crate::toy::{BIG, Event, Running, settings};

const WHO: &str = "authorization: Bearer reader\r\n";

/// Whether a caller gets an answer: with TLS 1.3 it learns of a refusal only after its own side of the handshake.
async fn is_served(server: &Running, caller: &Caller) -> bool {
    let Ok(stream) = caller.dial(server).await else { return false };
    let mut client = Client::over(stream);
    client.try_send(request("GET", "/toy/echo", "", "").as_bytes()).await && client.fill().await
}

fn failed(reason: &str, times: usize) -> String {
    format!("tidings_tls_handshakes_failed_total{{reason=\"{reason}\"}} {times}\n")
}

#[tokio::test]
async fn the_protocol_is_the_one_that_was_agreed_on() {
    let site = Site::new();
    let server = Running::start(&site.settings());
    for protocols in [&[][..], &["http/1.1"], &["http/1.1", "spdy/3"]] {
        let mut client = site.caller().speaking(protocols).connect(&server).await;
        assert_eq!(client.get("/toy/echo").await.status, 200, "{protocols:?}");
        assert_eq!(client.get("/toy/echo").await.status, 200, "{protocols:?}");
    }
    for protocols in [&["h2"][..], &["http/1.1", "h2"]] {
        let stream = site.caller().speaking(protocols).dial(&server).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    assert!(site.caller().speaking(&["spdy/3"]).dial(&server).await.is_err());
}

#[tokio::test]
async fn only_versions_that_are_allowed_are_spoken() {
    let site = Site::new();
    for (oldest, old_is_served) in [(TlsVersion::Tls12, true), (TlsVersion::Tls13, false)] {
        let server = Running::start(&ServerSettings { tls: Some(site.tls(oldest, None)), ..settings() });
        assert_eq!(is_served(&server, &site.caller().only(&version::TLS12)).await, old_is_served, "{oldest:?}");
        assert!(is_served(&server, &site.caller().only(&version::TLS13)).await, "{oldest:?}");
        if !old_is_served {
            server.shows(&failed("protocol", 1)).await;
        }
    }
}

#[tokio::test]
async fn client_certificates_are_looked_at() {
    let site = Site::new();
    let (clients, others) = (Authority::new("clients"), Authority::new("others"));
    let good = clients.issue("good");
    for version in [&version::TLS12, &version::TLS13] {
        for (auth, anyone) in [(ClientAuth::Optional, true), (ClientAuth::Required, false)] {
            let tls = site.tls(TlsVersion::Tls12, Some((&clients, auth)));
            let server = Running::start(&ServerSettings { tls: Some(tls), ..settings() });
            let caller = || site.caller().only(version);
            assert!(is_served(&server, &caller().showing(&good)).await, "{auth:?}");
            assert_eq!(is_served(&server, &caller()).await, anyone, "{auth:?}");
            let bad = [
                ("another authority's", others.issue("good")),
                ("expired", clients.issue_for("late", 2020, 2021)),
                ("not good yet", clients.issue_for("early", 2089, 2090)),
            ];
            for (what, identity) in &bad {
                assert!(!is_served(&server, &caller().showing(identity)).await, "{auth:?}: {what}");
            }
            server.shows(&failed("client-certificate", 3 + usize::from(!anyone))).await;
        }
    }
}

#[tokio::test]
async fn who_shows_a_certificate_is_known_by_its_thumbprint() {
    let site = Site::new();
    let clients = Authority::new("clients");
    let tls = site.tls(TlsVersion::Tls12, Some((&clients, ClientAuth::Optional)));
    let server = Running::start(&ServerSettings { tls: Some(tls), ..settings() });
    let identity = clients.issue("good");
    let thumbprint = sha256(&identity.der).map(|byte| format!("{byte:02x}")).concat();
    // Every connection is asked anew: a session that is resumed would be let in without.
    let caller = site.caller().showing(&identity);
    for _ in 0..2 {
        let mut client = caller.connect(&server).await;
        for _ in 0..2 {
            let answer = client.ask("GET", "/toy/secret", WHO, "").await;
            assert!(answer.body.ends_with(&format!("who=reader+{thumbprint}")), "{answer:?}");
            let answer = client.ask("GET", "/toy/echo", "", "").await;
            assert!(answer.body.ends_with(&format!("who=nobody+{thumbprint}")), "{answer:?}");
        }
    }
    let answer = site.caller().connect(&server).await.ask("GET", "/toy/secret", WHO, "").await;
    assert!(answer.body.ends_with("who=reader"), "{answer:?}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_not_waited_for() {
    let site = Site::new();
    let short = ServerSettings { header_timeout: Duration::from_millis(200), ..site.settings() };
    let server = Running::start(&short);
    let silent = server.connect().await;
    let mut halting = server.connect().await;
    // The head of a record that never comes.
    halting.send([0x16, 3, 1, 2, 0, 1]).await;
    silent.closed().await;
    halting.closed().await;
    server.shows(&failed("timeout", 2)).await;
    server.shows("tidings_http_connections 0\n").await;
    assert!(is_served(&server, &site.caller()).await);
}

#[tokio::test]
async fn a_handshake_takes_a_place_and_gives_it_up_like_a_silent_connection() {
    let site = Site::new();
    let few = ServerSettings { max_connections: 1, ..site.settings() };
    let server = Running::start(&few);
    let silent = server.connect().await;
    server.shows("tidings_http_connections 1\n").await;
    assert!(is_served(&server, &site.caller()).await);
    silent.closed().await;
    assert!(server.metrics().contains("tidings_http_connections_evicted_total 1"), "{}", server.metrics());
}

#[tokio::test]
async fn what_is_no_tls_is_closed_and_counted() {
    let site = Site::new();
    let server = Running::start(&site.settings());
    for bytes in ["GET / HTTP/1.1\r\nhost: test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &"x".repeat(100_000)] {
        let mut client = server.connect().await;
        client.send(bytes).await;
        // An alert, and the end: the caller is not reset before it could read it.
        client.take(7).await;
        assert!(!client.fill().await);
    }
    drop(server.connect().await);
    server.shows(&failed("protocol", 3)).await;
    server.shows(&failed("hung-up", 1)).await;
    assert!(is_served(&server, &site.caller()).await);
    assert_eq!(server.end().await.1, [Event::Called("echo")]);
}

#[tokio::test]
async fn who_is_turned_away_is_told_nothing_in_the_clear() {
    let site = Site::new();
    let few = ServerSettings { max_connections: 1, ..site.settings() };
    let mut server = Running::start(&few);
    let mut busy = site.caller().connect(&server).await;
    busy.send(request("GET", "/toy/wait", "", "")).await;
    assert_eq!(server.event().await, Event::Called("wait"));
    server.connect().await.closed().await;
    assert!(server.metrics().contains("tidings_http_connections_refused_total 1"), "{}", server.metrics());
}

#[tokio::test]
async fn unix_sockets_speak_no_tls() {
    let site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let mut both = site.settings();
    both.listen.push(ListenAddress::Unix(folder.path().join("api.sock")));
    let server = Running::start(&both);
    assert_eq!(Client::connect(&server.addresses[1]).await.get("/toy/echo").await.status, 200);
    assert!(is_served(&server, &site.caller()).await);
}

#[tokio::test]
async fn another_certificate_is_presented_once_it_is_there() {
    let (site, other) = (Site::new(), Site::new());
    let server = Running::start(&site.settings());
    let mut old = site.caller().connect(&server).await;
    assert_eq!(old.get("/toy/echo").await.status, 200);
    assert!(!is_served(&server, &other.caller()).await);
    server.tls.as_ref().unwrap().replace(other.tls(TlsVersion::Tls12, None));
    assert!(is_served(&server, &other.caller()).await && !is_served(&server, &site.caller()).await);
    assert_eq!(old.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn slow_heads_and_bodies_are_not_waited_for() {
    let site = Site::new();
    let short = ServerSettings {
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        ..site.settings()
    };
    let server = Running::start(&short);
    let mut client = site.caller().connect(&server).await;
    client.send("GET /toy/echo HT").await;
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
    let mut client = site.caller().connect(&server).await;
    client.send(request("POST", "/toy/bodies", "content-length: 1000\r\n", "")).await;
    while client.try_send(b"b").await && !client.fill_within(Duration::from_millis(10)).await {}
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_not_waited_for() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    for polite in [true, false] {
        let mut client = site.caller().connect(&server).await;
        client.send(request("GET", "/toy/wait", "", "")).await;
        assert_eq!(server.event().await, Event::Called("wait"));
        if polite {
            client.shut().await;
        }
        drop(client);
        assert_eq!(server.event().await, Event::Abandoned);
    }
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_is_read_was_written() {
    let site = Site::new();
    let mut server = Running::start(&site.settings());
    let mut client = site.caller().connect(&server).await;
    for path in ["big", "empty"] {
        let answer = client.get(&format!("/toy/{path}")).await;
        assert_eq!(answer.body.len(), if path == "big" { BIG } else { 0 });
        assert_eq!((server.event().await, server.event().await), (Event::Called(path), Event::Written));
    }
    assert_eq!(server.end().await.1, []);
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_lost() {
    let site = Site::new();
    let short = ServerSettings { body_timeout: Duration::from_millis(200), ..site.settings() };
    let mut server = Running::start(&short);
    // Its socket takes nothing any more; its reader hangs up.
    for hangs_up in [false, true] {
        let mut client = site.caller().connect(&server).await;
        client.send(request("GET", "/toy/big", "", "")).await;
        client.take(1024).await;
        let client = (!hangs_up).then_some(client);
        assert_eq!((server.event().await, server.event().await), (Event::Called("big"), Event::Lost));
        drop(client);
    }
    let mut client = site.caller().connect(&server).await;
    client.send(request("GET", "/toy/big", "", "")).await;
    assert_eq!(server.event().await, Event::Called("big"));
    assert_eq!(server.end().await.1, [Event::Lost]);
}

#[tokio::test]
async fn whoever_is_closed_is_told_that_nothing_was_cut_off() {
    let site = Site::new();
    let server = Running::start(&site.settings());
    let mut client = site.caller().connect(&server).await;
    assert_eq!(client.get("/toy/echo").await.status, 200);
    server.stop.stop();
    // Without close_notify rustls says that the end came unexpectedly.
    assert_eq!(client.end().await.unwrap(), 0);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let authority = Authority::new("a");
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let chain = || CertificateChain::from_pem(one.certificate.as_bytes()).unwrap();
    let key = PrivateKey::from_pem(other.key.as_bytes()).unwrap();
    let fault = TlsSettings::new(chain(), key, TlsVersion::Tls12, None).unwrap_err();
    assert_eq!(fault, TlsFault::KeyMismatch);
    assert_eq!(chain().validity().not_after.to_rfc3339_seconds(), "2090-01-01T00:00:00Z");
    assert_eq!(tls_of(&one, TlsVersion::Tls13, None).validity(), chain().validity());
    for (bad, words) in
        [(&*one.key, "holds no certificate"), ("", "holds no certificate"), ("-----BEGIN X", "is not PEM")]
    {
        assert!(CertificateChain::from_pem(bad.as_bytes()).unwrap_err().contains(words), "{bad}");
        assert!(ClientAuthorities::from_pem(bad.as_bytes()).unwrap_err().contains(words), "{bad}");
    }
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(CertificateChain::from_pem(nonsense.as_bytes()).unwrap_err().contains("not an X.509 certificate"));
    assert!(PrivateKey::from_pem(one.certificate.as_bytes()).unwrap_err().contains("holds no private key"));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(PrivateKey::from_pem(locked.as_bytes()).unwrap_err().contains("under a passphrase"));
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let key = PrivateKey::from_pem(nonsense.as_bytes()).unwrap();
    assert!(matches!(TlsSettings::new(chain(), key, TlsVersion::Tls12, None), Err(TlsFault::Key(_))));
}
