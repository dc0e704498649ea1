//! STARTTLS, implicit TLS, and that there is no way around either.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings::base::outbound::{Outbound, TrustSettings, read_certificates};
use tidings::channel::Verdict;
use tidings::channel::email::{EmailSettings, Security, reach};
use tokio_rustls::TlsAcceptor;

use crate::pki::{Authority, Identity};
use crate::relay::{Act, Relay, Script, Tls};
use crate::stage::{channel, login, send_one, settings_for, trusting};

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let certificates = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(certificates, key).unwrap()))
}

fn secure(script: Script, identity: &Identity, implicit: bool) -> Script {
    Script { tls: Some(Tls { acceptor: acceptor(identity), implicit }), ..script }
}

fn settings(relay: &Relay, security: Security) -> EmailSettings {
    let scheme = if security == Security::Implicit { "smtps" } else { "smtp" };
    let mut settings = settings_for(&format!("{scheme}://localhost:{}", relay.address.port()));
    settings.relay.security = security;
    settings
}

#[tokio::test]
async fn mail_goes_by_tls_in_both_forms() {
    let authority = Authority::new("authority");
    for security in [Security::StartTls, Security::Implicit] {
        let script = Script { login: Some(("tidings".to_owned(), "secret".to_owned())), ..Script::default() };
        let script = secure(script, &authority.issue("relay"), security == Security::Implicit);
        let relay = Relay::start(script.offering(&["AUTH PLAIN"])).await;
        let mut settings = settings(&relay, security);
        settings.relay.login = Some(login("tidings", "secret"));
        let sent = send_one(&trusting(settings, &authority)).await;
        assert_eq!(sent.verdict, Verdict::Delivered, "{sent:?}");
        assert!(relay.only().secure);
    }
}

#[tokio::test]
async fn a_relay_is_tried_with_tls_and_login_and_nothing_is_sent() {
    let authority = Authority::new("authority");
    let script = Script { login: Some(("tidings".to_owned(), "secret".to_owned())), ..Script::default() };
    let script = secure(script, &authority.issue("relay"), false);
    let relay = Relay::start(script.offering(&["AUTH PLAIN"])).await;
    let certificates = read_certificates(authority.pem().as_bytes()).unwrap();
    let outbound = Outbound::new(TrustSettings { system: false, certificates });
    let mut settings = settings(&relay, Security::StartTls).relay;
    settings.login = Some(login("tidings", "secret"));
    reach(&settings, &outbound).await.unwrap();
    settings.login = Some(login("tidings", "wr0ng"));
    let refused = reach(&settings, &outbound).await.unwrap_err();
    assert!(refused.contains("answered to AUTH: 535") && !refused.contains("wr0ng"), "{refused}");
    let distrust = Outbound::new(TrustSettings { system: false, certificates: Vec::new() });
    let refused = reach(&settings, &distrust).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    assert!(relay.heard().iter().all(|line| !line.starts_with("MAIL")), "{:?}", relay.heard());
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing() {
    let relay = Relay::start(Script::default().offering(&["AUTH PLAIN"])).await;
    let mut settings = settings(&relay, Security::StartTls);
    settings.relay.login = Some(login("tidings", "secret"));
    let sent = send_one(&channel(settings)).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, "starttls-missing"));
    assert!(sent.detail.contains("does not offer STARTTLS"), "{sent:?}");
    assert!(relay.heard().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{:?}", relay.heard());
}

#[tokio::test]
async fn a_relay_that_refuses_starttls_gets_nothing() {
    let authority = Authority::new("authority");
    for (act, reason) in [
        (Act::Say("454 4.7.0 not now"), "starttls-454"),
        (Act::Say("502 5.5.1 never"), "starttls-502"),
        (Act::HangUp, "starttls-closed"),
    ] {
        let script = secure(Script::once("starttls", act), &authority.issue("relay"), false);
        let relay = Relay::start(script).await;
        let sent = send_one(&trusting(settings(&relay, Security::StartTls), &authority)).await;
        assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, reason));
        assert!(relay.taken().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_stops_mail() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    for security in [Security::StartTls, Security::Implicit] {
        for identity in [other.issue("relay"), authority.issue_for("relay", 2020, 2021)] {
            let script = secure(Script::default(), &identity, security == Security::Implicit);
            let relay = Relay::start(script).await;
            let sent = send_one(&trusting(settings(&relay, security), &authority)).await;
            assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, "tls"), "{sent:?}");
            assert!(sent.detail.contains("certificate"), "{sent:?}");
            assert!(relay.taken().is_empty());
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_stops_mail() {
    let authority = Authority::new("authority");
    let relay = Relay::start(secure(Script::default(), &authority.issue("relay"), true)).await;
    let mut settings = settings(&relay, Security::Implicit);
    settings.relay.address.host = "127.0.0.2".to_owned();
    let sent = send_one(&trusting(settings, &authority)).await;
    assert_eq!(sent.verdict, Verdict::Down, "{sent:?}");
    assert!(relay.taken().is_empty());
}

#[tokio::test]
async fn a_relay_that_does_not_speak_tls_is_down() {
    let relay = Relay::start(Script::default()).await;
    let sent = send_one(&channel(settings(&relay, Security::Implicit))).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, "tls"), "{sent:?}");
}

/// What an attacker puts between the reply to STARTTLS and the handshake is not taken for the relay's (CVE-2011-0411).
#[tokio::test]
async fn words_before_the_handshake_are_not_believed() {
    let authority = Authority::new("authority");
    let injected = "220 go ahead\r\n250-relay.test\r\n250 AUTH LOGIN";
    let script = secure(Script::once("starttls", Act::Say(injected)), &authority.issue("relay"), false);
    let relay = Relay::start(script).await;
    let sent = send_one(&trusting(settings(&relay, Security::StartTls), &authority)).await;
    assert_eq!(sent.verdict, Verdict::Down, "{sent:?}");
    assert!(relay.taken().is_empty());
}
