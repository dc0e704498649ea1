//! What is sent, and what answers mean.

use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidings::auth::WebhookKeys;
use tidings::base::clock::Timestamp;
use tidings::base::rate::Rate;
use tidings::base::trace::TraceContext;
use tidings::channel::webhook::{Answers, WebhookSettings};
use tidings::channel::{Channel as _, Message, Sent, Shared, Verdict};
use tidings::model::target::{ContentMode, Target, WebhookTarget};

use crate::stage::{KEY, Stage, message, to, webhook};
use crate::upstream::{Reply, Upstream};

/// A request that came.
pub(crate) struct Came {
    line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Came {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (line, headers) = head.split_once("\r\n").unwrap();
        let headers =
            headers.lines().map(|header| header.split_once(": ").unwrap_or((header.trim_end_matches(':'), "")));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { line: line.to_owned(), headers, body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|header| header.0 == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    /// Whether the signature in this place is that of the bytes that came.
    fn is_signed(&self, place: usize, verify: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        let (id, time) = (self.header("webhook-id").unwrap(), self.header("webhook-timestamp").unwrap());
        let signature = self.header("webhook-signature").unwrap().split(' ').nth(place).unwrap();
        let signature = STANDARD.decode(signature.split_once(',').unwrap().1).unwrap();
        verify(format!("{id}.{time}.{}", self.body).as_bytes(), &signature)
    }
}

fn by_secret(content: &[u8], signature: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, KEY), content, signature).is_ok()
}

fn by_key(keys: &WebhookKeys) -> impl Fn(&[u8], &[u8]) -> bool {
    let published = keys.published(message().now)[0].key.clone();
    let public = STANDARD.decode(published.strip_prefix("whpk_").unwrap()).unwrap();
    move |content, signature| UnparsedPublicKey::new(&ED25519, &public).verify(content, signature).is_ok()
}

async fn upstream(reply: Reply) -> (Upstream, Stage) {
    let upstream = Upstream::start(reply).await;
    let stage = Stage::with(&[&format!("127.0.0.1:{}", upstream.address.port())]);
    (upstream, stage)
}

/// What comes at a server for this target and message.
pub(crate) async fn came(tune: impl FnOnce(&mut WebhookTarget, &mut Message)) -> (Came, Sent, Stage) {
    came_by(|_| {}, tune).await
}

/// The same over a channel with other settings.
pub(crate) async fn came_by(
    settle: impl FnOnce(&mut WebhookSettings),
    tune: impl FnOnce(&mut WebhookTarget, &mut Message),
) -> (Came, Sent, Stage) {
    let (upstream, mut stage) = upstream(Reply::ok("thanks")).await;
    settle(&mut stage.settings);
    let (mut target, mut message) = (webhook(&upstream.url("hook?key=s3cret")), message());
    tune(&mut target, &mut message);
    let sent = stage.channel().send(&Target::Webhook(target), &message).await;
    (Came::read(&upstream.requests()[0]), sent, stage)
}

#[tokio::test]
async fn a_structured_event_is_signed_and_delivered() {
    let (came, sent, _) = came(|_, _| {}).await;
    assert_eq!(came.line, "POST /hook?key=s3cret HTTP/1.1");
    assert_eq!(came.header("content-type"), Some("application/cloudevents+json"));
    assert_eq!(came.header("webhook-id"), Some("0198f0c2-1111-7000-8000-000000040001"));
    assert_eq!(came.header("webhook-timestamp"), Some("1795341600"));
    assert_eq!(came.header("tidings-epoch"), Some("7"));
    assert_eq!(came.header("user-agent"), Some(concat!("tidings/", env!("CARGO_PKG_VERSION"))));
    assert_eq!((came.header("traceparent"), came.header("x-b3-traceid")), (None, None));
    assert_eq!(
        came.body,
        r#"{"specversion":"1.0","id":"e-1","source":"/crm","type":"301","datacontenttype":"application/json","data":{ "n": 1.00 }}"#
    );
    assert!(came.header("webhook-signature").unwrap().starts_with("v1,") && came.is_signed(0, by_secret));
    assert_eq!((sent.verdict, sent.status, sent.reason.as_str()), (Verdict::Delivered, Some(200), "status-200"));
    assert_eq!(sent.answer, "thanks");
    assert!(sent.detail.contains("answered 200 OK") && !sent.detail.contains("s3cret"), "{}", sent.detail);
    assert!(sent.phases.connect.is_some() && sent.phases.answer.is_some() && sent.phases.body.is_some());
}

#[tokio::test]
async fn a_binary_event_has_its_data_alone_in_the_body() {
    let (came, _, _) = came(|target, _| target.content_mode = ContentMode::Binary).await;
    assert_eq!(came.body, "{ \"n\": 1.00 }");
    assert_eq!((came.header("content-type"), came.header("ce-id")), (Some("application/json"), Some("e-1")));
    assert!(came.is_signed(0, by_secret));
}

#[tokio::test]
async fn a_binary_event_without_data_has_no_body() {
    let tune = |target: &mut WebhookTarget, message: &mut Message| {
        target.content_mode = ContentMode::Binary;
        message.event.draft.data = None;
    };
    let (came, sent, _) = came(tune).await;
    assert_eq!((came.body.as_str(), came.header("content-type")), ("", None));
    assert!(came.header("content-length").is_none_or(|length| length == "0"));
    assert!(came.is_signed(0, by_secret) && sent.verdict == Verdict::Delivered);
}

#[tokio::test]
async fn both_kinds_of_signatures_stand_side_by_side() {
    let (came, _, stage) = came(|target, _| target.asymmetric = true).await;
    let signatures = came.header("webhook-signature").unwrap();
    assert!(signatures.contains(" v1a,"), "{signatures}");
    assert!(came.is_signed(0, by_secret) && came.is_signed(1, by_key(&stage.keys)));
}

#[tokio::test]
async fn a_trace_is_sent_on_in_both_forms() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = TraceContext { parent: parent.to_owned(), state: Some("a=1,b=2".to_owned()) };
    let (came, _, _) = came(|_, message| message.event.draft.trace = Some(trace)).await;
    for (name, value) in [
        ("traceparent", parent),
        ("tracestate", "a=1,b=2"),
        ("x-b3-traceid", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("x-b3-spanid", "00f067aa0ba902b7"),
        ("x-b3-sampled", "1"),
    ] {
        assert_eq!(came.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn what_nothing_signs_is_not_sent() {
    let (upstream, stage) = upstream(Reply::ok("")).await;
    let mut target = webhook(&upstream.url(""));
    target.secrets[0].not_after = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z");
    let sent = stage.channel().send(&Target::Webhook(target), &message()).await;
    assert_eq!((sent.verdict, sent.reason.as_str(), sent.status), (Verdict::Unable, "no-secret", None));
    assert!(sent.detail.contains("2026-11-22T10:00:00Z"), "{}", sent.detail);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn the_status_decides_whatever_the_body_is() {
    for (status, headers, verdict) in [
        (204, "", Verdict::Delivered),
        (302, "Location: http://127.0.0.1:1/\r\n", fault(None, false)),
        (404, "", fault(None, false)),
        (410, "Retry-After: 5\r\n", Verdict::Gone),
        (422, "", Verdict::Rejected { suppress: false }),
        (429, "Retry-After: 120\r\n", fault(Some("2026-11-22T10:02:00.250Z"), true)),
        (500, "Retry-After: 7\r\n", fault(Some("2026-11-22T10:00:07.250Z"), false)),
        (503, "Retry-After: Sun, 22 Nov 2026 11:00:00 GMT\r\n", fault(Some("2026-11-22T11:00:00Z"), true)),
        (503, "Retry-After: soon\r\n", fault(None, true)),
        (599, "", fault(None, false)),
        (999, "", fault(None, false)),
    ] {
        let (upstream, stage) = upstream(Reply::Whole(status, headers.to_owned(), Vec::new())).await;
        let sent = stage.send(&upstream.url("")).await;
        assert_eq!((sent.verdict, sent.status), (verdict, Some(status)), "{status}");
        let reason = if status < 600 { format!("status-{status}") } else { "status-other".to_owned() };
        assert_eq!(sent.reason, reason);
        assert_eq!(upstream.connections(), 1, "{status}: nothing is tried again, and no redirect is followed");
    }
}

fn fault(retry_after: Option<&str>, slow: bool) -> Verdict {
    Verdict::Fault { retry_after: retry_after.map(|at| Timestamp::parse_rfc3339(at).unwrap()), slow }
}

#[tokio::test]
async fn an_informational_answer_is_not_the_answer() {
    let (upstream, stage) = upstream(Reply::Cut(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ))
    .await;
    assert_eq!(stage.send(&upstream.url("")).await.status, Some(500));
    upstream
        .reply(Reply::Cut(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec()));
    let switched = stage.send(&upstream.url("")).await;
    assert!(matches!(switched.verdict, Verdict::Fault { .. }), "{switched:?}");
}

#[tokio::test]
async fn four_kib_of_an_answer_are_kept_unless_the_policy_says_otherwise() {
    let (upstream, stage) = upstream(Reply::Whole(500, String::new(), vec![b'x'; 100_000])).await;
    let sent = stage.send(&upstream.url("")).await;
    assert_eq!((sent.answer.len(), sent.status), (4096, Some(500)));
    upstream.reply(Reply::ok("caf\u{e9} \u{0}".as_bytes()));
    assert_eq!(stage.send(&upstream.url("")).await.answer, "caf\u{e9} \u{0}");
    for (answers, kept) in [(Answers::Shown, "caf\u{e9} \u{0}"), (Answers::Dropped, "")] {
        let allow = format!("127.0.0.1:{}", upstream.address.port());
        let stage = Stage::with(&[&allow]).tuned(|policy| policy.answers = answers);
        assert_eq!(stage.send(&upstream.url("")).await.answer, kept);
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let (upstream, stage) = upstream(Reply::Kept(200, String::new(), vec![b'x'; 10_000])).await;
    let channel = stage.channel();
    for n in 0..20 {
        let sent = channel.send(&to(&upstream.url("")), &message()).await;
        assert_eq!((sent.verdict, sent.phases.connect.is_some()), (Verdict::Delivered, n == 0), "{n}");
    }
    assert_eq!((upstream.hits(), upstream.connections()), (20, 1));
}

#[tokio::test]
async fn endpoints_share_what_has_one_policy_scheme_host_and_port() {
    let rate = Rate::parse("50/s");
    let stage = Stage::with(&["public:443"]).tuned(|policy| policy.rate = rate).and("other", &[]);
    let channel = stage.channel();
    let shared = |url: &str, egress: &str| {
        let mut target = webhook(url);
        target.egress = egress.to_owned();
        channel.shared(&Target::Webhook(target))
    };
    let plant = shared("https://Hook.example.com/a?key=s3cret", "plant");
    let limited = Some(("webhooks plant".to_owned(), rate.unwrap()));
    assert_eq!(plant, Shared { target: "plant https://hook.example.com:443".to_owned(), rate: limited });
    assert_eq!(plant, shared("https://hook.example.com:443/b", "plant"));
    for (url, egress) in [
        ("http://hook.example.com:443/", "plant"),
        ("https://hook.example.com:8443/", "plant"),
        ("https://hook.example.org/", "plant"),
        ("https://hook.example.com/", "other"),
    ] {
        assert_ne!(plant.target, shared(url, egress).target, "{url} {egress}");
    }
    assert_eq!(shared("https://h/", "other").rate, None);
}

#[tokio::test]
async fn a_sending_that_is_dropped_ends_at_once() {
    let (upstream, stage) = upstream(Reply::Silence).await;
    let (channel, target, message) = (stage.channel(), to(&upstream.url("")), message());
    let sending = channel.send(&target, &message);
    assert!(tokio::time::timeout(Duration::from_millis(50), sending).await.is_err());
    upstream.reply(Reply::ok(""));
    assert_eq!(channel.send(&target, &message).await.verdict, Verdict::Delivered);
}
