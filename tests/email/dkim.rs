//! Signatures that others can verify.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use tidings::channel::email::Dkim;

use crate::relay::{Relay, Script};
use crate::stage::{channel, event, send, send_one, settings, target};

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// A private key in PEM form, and what stands in DNS for it.
struct Key {
    pem: String,
    record: String,
}

fn rsa() -> Key {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.as_der().unwrap();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    Key { pem: pem(der.as_ref()), record: format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_ref())) }
}

/// As OpenSSL writes it, without the public key (`PKCS#8` v1).
fn ed25519() -> Key {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(pair.public_key().as_ref()));
    Key { pem: pem(der.as_ref()), record }
}

/// DNS with one record in it, whatever is asked for.
struct OneRecord(Arc<DomainKey>);

impl ResolverCache<Box<str>, Txt> for OneRecord {
    fn get<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(Txt::DomainKey(Arc::clone(&self.0)))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

async fn is_good(message: &[u8], record: &str) -> bool {
    let dns = OneRecord(Arc::new(DomainKey::parse(record.as_bytes()).unwrap()));
    let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
    let message = AuthenticatedMessage::parse(message).unwrap();
    let outputs = authenticator.verify_dkim(Parameters::new(&message).with_txt_cache(&dns)).await;
    outputs.len() == 1 && outputs.iter().all(|output| *output.result() == DkimResult::Pass)
}

async fn signed(key: &Key, draft: tidings::model::event::EventDraft) -> Vec<u8> {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.dkim = Some(Arc::new(Dkim::new("example.com", "2026", key.pem.as_bytes()).unwrap()));
    settings.list_unsubscribe = vec!["mailto:unsubscribe@example.com".to_owned()];
    send(&channel(settings), target("jane@example.net"), draft).await;
    relay.only().message
}

#[tokio::test]
async fn a_signature_is_good_as_long_as_nothing_is_changed() {
    for key in [rsa(), ed25519()] {
        let draft = event(&serde_json::json!({ "note": ".\nFrom here\n\n", "ünï": "é".repeat(300) }).to_string());
        let message = signed(&key, draft).await;
        let text = String::from_utf8(message.clone()).unwrap();
        assert!(text.starts_with("DKIM-Signature: v=1; a=") && text.contains("s=2026; d=example.com"), "{text}");
        assert!(is_good(&message, &key.record).await, "{text}");
        for (from, to) in
            [("Subject: 301", "Subject: 302"), ("To: <jane@", "To: <joan@"), ("example.net", "example.org")]
        {
            assert!(!is_good(text.replacen(from, to, 1).as_bytes(), &key.record).await, "{to}");
        }
        let added = text.replacen("Subject:", "Reply-To: x@example.org\r\nSubject:", 1);
        assert!(!is_good(added.as_bytes(), &key.record).await);
        assert!(!is_good(format!("{text}more\r\n").as_bytes(), &key.record).await);
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let relay = Relay::start(Script::default()).await;
    send_one(&channel(settings(&relay))).await;
    assert!(!String::from_utf8(relay.only().message).unwrap().contains("DKIM-Signature"));
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    let key = ed25519().pem;
    assert!(!format!("{:?}", Dkim::new("example.com", "2026", key.as_bytes())).contains(&key[30..60]));
    let broken = pem(b"s3cret");
    for bad in ["", "s3cret", broken.as_str()] {
        let problem = Dkim::new("example.com", "2026", bad.as_bytes()).unwrap_err();
        assert!(problem.starts_with("must be a private key in PEM form") && !problem.contains("s3cret"), "{problem}");
    }
}
