//! What a message is made of, and that no event can make it something else.

use proptest::prelude::*;
use tidings::base::clock::Timestamp;
use tidings::base::trace::TraceContext;
use tidings::channel::Verdict;
use tidings::channel::email::Mailbox;
use tidings::model::event::{EventDraft, EventTime};
use tidings::model::json::RawJson;

use crate::relay::{Relay, Script};
use crate::stage::{NOTIFICATION, channel, event, parsed, send, send_one, settings, target};

/// The headers of a message, without the body.
fn head(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

async fn mailed(draft: EventDraft) -> Vec<u8> {
    let relay = Relay::start(Script::default()).await;
    let sent = send(&channel(settings(&relay)), target("jane@example.net"), draft).await;
    assert_eq!(sent.verdict, Verdict::Delivered, "{sent:?}");
    relay.only().message
}

#[tokio::test]
async fn a_message_has_what_mail_must_have() {
    let message = mailed(event(r#"{"amount":1.50,"name":"Zoë"}"#)).await;
    let head = head(&message);
    for line in [
        "Date: Sun, 22 Nov 2026 18:01:29 +0000",
        "From: \"Tidings\" <tidings@example.com>",
        "To: <jane@example.net>",
        "Subject: 301",
        &format!("Message-ID: <{NOTIFICATION}@example.com>"),
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.split("\r\n").any(|known| known == line), "{line} is not in {head}");
    }
    assert!(!head.contains("List-Unsubscribe") && !head.contains("DKIM"));
    let mail = parsed(&message);
    assert_eq!(mail.content_type_string().as_deref(), Some("multipart/alternative"));
    let (text, html) = (mail.body_text(0).unwrap(), mail.body_html(0).unwrap());
    assert!(text.contains("amount: 1.50") && text.contains("name: Zoë"), "{text}");
    assert!(html.contains(">1.50</td>") && html.contains(">Zoë</td>"), "{html}");
    for part in [&text, &html] {
        assert!(part.contains("2026-11-22 18:01:29 UTC") && part.contains("crm") && part.contains(NOTIFICATION));
    }
}

#[tokio::test]
async fn the_trace_of_the_event_goes_with_it() {
    let trace = TraceContext::of_b3("463ac35c9f6413ad48485a3953bb6124", Some("a2fb4a1d1a96d312"), false);
    let traced = mailed(EventDraft { trace, ..event("{}") }).await;
    assert!(head(&traced).contains("X-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124\r\n"), "{}", head(&traced));
    assert!(!head(&mailed(event("{}")).await).contains("B3"));
}

trait Shown {
    fn content_type_string(&self) -> Option<String>;
}

impl Shown for mail_parser::Message<'_> {
    fn content_type_string(&self) -> Option<String> {
        use mail_parser::MimeHeaders as _;
        self.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
    }
}

#[tokio::test]
async fn what_is_configured_stands_in_the_headers() {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.from = Mailbox::parse("Wärme, Süd \"1\" <no-reply@mail.example.com>").unwrap();
    settings.list_unsubscribe =
        vec!["mailto:unsubscribe@example.com".to_owned(), format!("https://example.com/{}", "u".repeat(80))];
    send_one(&channel(settings)).await;
    let message = relay.only().message;
    let mail = parsed(&message);
    let from = mail.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Wärme, Süd \"1\""));
    assert_eq!(from.address(), Some("no-reply@mail.example.com"));
    assert_eq!(mail.message_id(), Some(format!("{NOTIFICATION}@mail.example.com").as_str()));
    let head = head(&message).replace("\r\n ", " ");
    let unsubscribe = head.lines().find(|line| line.starts_with("List-Unsubscribe: ")).unwrap();
    assert!(unsubscribe.contains("<mailto:unsubscribe@example.com>, <https://example.com/uuu"), "{unsubscribe}");
}

#[tokio::test]
async fn a_message_does_not_change_over_attempts_but_for_its_date() {
    let relay = Relay::start(Script::default()).await;
    for _ in 0..2 {
        send_one(&channel(settings(&relay))).await;
    }
    let taken = relay.taken();
    assert_eq!(taken[0].message, taken[1].message);
}

#[tokio::test]
async fn hostile_data_makes_no_header_and_no_part() {
    let breaks = [
        "\r\nBcc: victim@example.org",
        "\nBcc: victim@example.org",
        "\rBcc: v@example.org",
        "\0\u{1b}[2J\u{2028}Bcc: x",
        "\u{85}Bcc: x",
    ];
    for hostile in breaks {
        let mut draft = event(&serde_json::json!({ "note": hostile, hostile: 1 }).to_string());
        draft.subject = Some(format!("order {hostile}"));
        draft.source = format!("/crm{hostile}");
        draft.id = Some(hostile.to_owned());
        draft.event_type = format!("type {hostile}").as_str().into();
        let message = mailed(draft).await;
        let head = head(&message);
        assert!(!head.split("\r\n").any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
        let mail = parsed(&message);
        assert_eq!((mail.bcc(), mail.parts.len()), (None, 3), "{head}");
        let subject = mail.subject().unwrap();
        assert!(subject.starts_with("type ") && subject.contains("Bcc: "), "{subject}");
        assert!(!subject.chars().any(char::is_control), "{subject:?}");
        assert!(!mail.body_text(0).unwrap().chars().any(|c| c.is_control() && !"\r\n\t".contains(c)));
    }
}

#[tokio::test]
async fn nobody_can_write_a_boundary() {
    let boundary =
        format!("\r\n--=_{NOTIFICATION}\r\nContent-Type: text/html\r\n\r\nforged\r\n--=_{NOTIFICATION}--\r\n");
    let message = mailed(event(&serde_json::json!({ "note": boundary }).to_string())).await;
    let mail = parsed(&message);
    assert_eq!(mail.parts.len(), 3);
    assert!(mail.body_text(0).unwrap().contains("forged") && mail.body_html(0).unwrap().contains("forged"));
}

#[tokio::test]
async fn html_is_escaped() {
    let message = mailed(event(r#"{"note":"<script>alert('x')</script> & \"more\"","<b>":1}"#)).await;
    let mail = parsed(&message);
    let html = mail.body_html(0).unwrap();
    assert!(!html.contains("<script") && !html.contains("<b>") && html.contains("&lt;script&gt;"), "{html}");
    assert!(mail.body_text(0).unwrap().contains("<script>alert('x')</script> & \"more\""));
}

#[tokio::test]
async fn lines_are_short_and_dots_survive() {
    let dots = ".\n..\n.hidden\nFrom here\n";
    let draft =
        event(&serde_json::json!({ "note": dots, "long": "x".repeat(5000), "ünï": "é".repeat(3000) }).to_string());
    let message = mailed(draft).await;
    for line in message.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 100 && line.is_ascii(), "{}", String::from_utf8_lossy(line));
    }
    let text = parsed(&message).body_text(0).unwrap().replace("\r\n", "\n");
    assert!(text.contains("note: .\n    ..\n    .hidden\n    From here"), "{text}");
    assert!(text.contains(&"x".repeat(1900)) && text.contains(&"é".repeat(1900)));
}

#[tokio::test]
async fn a_subject_of_other_characters_is_encoded_and_has_an_end() {
    let mut draft = event("{}");
    draft.subject = Some(format!("Bestellung für Zoë – 日本 {}", "é".repeat(500)));
    let message = mailed(draft).await;
    assert!(head(&message).is_ascii());
    let mail = parsed(&message);
    let subject = mail.subject().unwrap();
    assert!(subject.starts_with("301: Bestellung für Zoë – 日本 éé") && subject.ends_with('…'), "{subject}");
    assert_eq!(subject.chars().count(), 251);
    let mut draft = event("{}");
    draft.subject = Some("=?utf-8?Q?=0D=0ABcc:_x?=".to_owned());
    let message = mailed(draft).await;
    assert_eq!(parsed(&message).subject(), Some("301: =?utf-8?Q?=0D=0ABcc:_x?="));
}

#[tokio::test]
async fn an_event_without_anything_makes_a_message_too() {
    let message = mailed(event("")).await;
    assert_eq!(parsed(&message).subject(), Some("301"));
    let mut draft = event("");
    draft.data = Some(RawJson::string("just text"));
    let time = "2018-01-23T04:56:22.1234567+13:00";
    draft.time = Some(EventTime { text: time.to_owned(), instant: Timestamp::parse_rfc3339(time).unwrap() });
    let message = mailed(draft).await;
    let text = parsed(&message).body_text(0).unwrap().into_owned();
    assert!(text.contains("just text") && text.contains("2018-01-22 15:56:22 UTC"), "{text}");
}

#[tokio::test]
async fn an_address_that_would_break_the_dialogue_is_refused() {
    let relay = Relay::start(Script::default()).await;
    for address in ["jane@example.net>\r\nDATA", "jane", "", "a@b> SIZE=1"] {
        let sent = send(&channel(settings(&relay)), target(address), event("{}")).await;
        assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Rejected { suppress: false }, "address"));
    }
    assert_eq!(relay.connections(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_event_makes_a_whole_message(
        subject in "(\\PC|[\r\n\t\u{0}\u{2028}=?<>\"\\\\]){0,80}",
        value in "(\\PC|[\r\n\t\u{0}.<>&-]){0,200}",
        key in "(\\PC|[\r\n.]){0,20}",
    ) {
        let mut draft = event(&serde_json::json!({ key: value }).to_string());
        draft.subject = Some(subject.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let message = runtime.block_on(mailed(draft));
        let mail = parsed(&message);
        prop_assert_eq!(mail.parts.len(), 3);
        prop_assert_eq!(mail.headers().len(), 8);
        prop_assert!(head(&message).is_ascii());
        prop_assert!(mail.body_html(0).unwrap().contains("</html>"));
    }
}
