//! What the relay says or does at every verb, and what the channel makes of it.

use std::time::Duration;

use tidings::channel::{Sent, Verdict};
use tidings::model::recipients::AllowedRecipients;

use crate::relay::{Act, Relay, Script};
use crate::stage::{channel, event, login, send, send_one, settings, settings_for, target};

const FAULT: Verdict = Verdict::Fault { retry_after: None, slow: false };
const SLOW: Verdict = Verdict::Fault { retry_after: None, slow: true };
const REFUSED: Verdict = Verdict::Rejected { suppress: false };

/// What comes of one message by a relay with this script and a login.
async fn tried(script: Script) -> (Sent, Relay) {
    let login = Some(("tidings".to_owned(), "secret".to_owned()));
    let relay = Relay::start(Script { login, ..script }.offering(&["AUTH PLAIN"])).await;
    let mut settings = settings(&relay);
    settings.relay.login = Some(crate::stage::login("tidings", "secret"));
    settings.relay.timeout = Duration::from_millis(300);
    (send_one(&channel(settings)).await, relay)
}

#[tokio::test]
async fn a_message_is_handed_over() {
    let (sent, relay) = tried(Script::default()).await;
    assert_eq!((sent.verdict, sent.reason.as_str(), sent.status), (Verdict::Delivered, "delivered", Some(250)));
    assert_eq!(sent.answer, "queued as 1");
    assert_eq!(sent.detail, "the relay took it: 250 2.0.0 queued as 1");
    assert!(sent.phases.connect.is_some() && sent.phases.answer.is_some() && sent.phases.body.is_none());
    let taken = relay.only();
    assert_eq!(taken.mail, "MAIL FROM:<bounces@example.com>");
    assert_eq!(taken.rcpt, "RCPT TO:<jane@example.net>");
    assert_eq!(relay.heard()[0], "EHLO site.example.com");
}

#[tokio::test]
async fn every_reply_at_every_verb_is_judged() {
    let table = [
        ("banner", "421 4.3.2 too busy", Verdict::Down, "banner-421"),
        ("banner", "554 5.7.1 not you", Verdict::Down, "banner-554"),
        ("ehlo", "450 later", Verdict::Down, "ehlo-450"),
        ("ehlo", "550-what\r\n550 never", Verdict::Down, "ehlo-550"),
        ("auth", "454 4.7.0 later", Verdict::Down, "auth-454"),
        ("auth", "535 5.7.8 wrong", Verdict::Down, "auth-535"),
        ("mail", "451 4.3.0 later", Verdict::Down, "mail-451"),
        ("mail", "550 5.1.8 bad sender", Verdict::Down, "mail-550"),
        ("mail", "530 5.7.0 log in first", Verdict::Down, "mail-530"),
        ("rcpt", "450 4.2.0 greylisted", FAULT, "rcpt-450"),
        ("rcpt", "451 4.7.1 greylisted, come back in 300 s", FAULT, "rcpt-451"),
        ("rcpt", "421 4.3.2 closing", SLOW, "rcpt-421"),
        ("rcpt", "452 4.3.1 full", SLOW, "rcpt-452"),
        ("rcpt", "550 5.1.1 no such user", Verdict::Rejected { suppress: true }, "rcpt-550"),
        ("rcpt", "550 no such user", REFUSED, "rcpt-550"),
        ("rcpt", "552 5.2.2 mailbox full", REFUSED, "rcpt-552"),
        ("rcpt", "550 5.7.1 relaying denied", Verdict::Down, "rcpt-550"),
        ("rcpt", "503 5.5.1 no", Verdict::Down, "rcpt-503"),
        ("data", "451 4.3.0 later", SLOW, "data-451"),
        ("data", "554 5.6.0 no", REFUSED, "data-554"),
        ("data", "554 5.3.0 no", Verdict::Down, "data-554"),
        ("data", "250 what?", FAULT, "data-250"),
        ("message", "451 4.6.0 later", FAULT, "message-451"),
        ("message", "550 5.1.1 no such user", Verdict::Rejected { suppress: true }, "message-550"),
        ("message", "552 5.6.0 I do not like it", REFUSED, "message-552"),
        ("message", "554 5.7.1 spam", Verdict::Down, "message-554"),
        ("message", "999 what?", FAULT, "message-unexpected"),
        ("message", "what?", FAULT, "message-closed"),
    ];
    for (verb, words, verdict, reason) in table {
        let (sent, _) = tried(Script::once(verb, Act::Say(words))).await;
        assert_eq!((sent.verdict, sent.reason.as_str()), (verdict, reason), "{words} at {verb}: {sent:?}");
        assert_eq!(sent.status, words[..3].parse().ok(), "{sent:?}");
        assert!(!sent.detail.contains("secret"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_relay_that_hangs_up_or_falls_silent_is_a_fault_at_every_verb() {
    for verb in ["banner", "ehlo", "auth", "mail", "rcpt", "data", "message"] {
        let expected = if ["rcpt", "data", "message"].contains(&verb) { FAULT } else { Verdict::Down };
        let (sent, _) = tried(Script::once(verb, Act::HangUp)).await;
        assert_eq!((sent.verdict, sent.reason.as_str()), (expected, format!("{verb}-closed").as_str()), "{sent:?}");
        let begun = std::time::Instant::now();
        let (sent, _) = tried(Script::once(verb, Act::Silence)).await;
        assert_eq!((sent.verdict, sent.reason.as_str()), (expected, format!("{verb}-timeout").as_str()), "{sent:?}");
        // Ten times as long is waited for the reply to the message.
        let patience = Duration::from_millis(if verb == "message" { 3000 } else { 300 });
        assert!(begun.elapsed() >= patience && begun.elapsed() < patience + Duration::from_secs(5), "{verb}");
    }
}

#[tokio::test]
async fn a_message_that_may_have_been_taken_comes_again_with_the_same_id() {
    let relay = Relay::start(Script::once("message", Act::HangUp)).await;
    let channel = channel(settings(&relay));
    let first = send_one(&channel).await;
    assert_eq!(first.verdict, FAULT);
    assert!(first.detail.contains("it may have taken it"), "{first:?}");
    assert_eq!(send_one(&channel).await.verdict, Verdict::Delivered);
    let taken = relay.taken();
    assert_eq!(taken[0].message, taken[1].message);
}

#[tokio::test]
async fn what_happens_at_quit_changes_nothing() {
    for act in [Act::Say("500 what?"), Act::HangUp, Act::Silence, Act::SayAndHangUp("421 no")] {
        let (sent, _) = tried(Script::once("quit", act)).await;
        assert_eq!(sent.verdict, Verdict::Delivered);
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let sent = send_one(&channel(settings_for(&format!("smtp://{nobody}")))).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, "connect-refused"));
    assert_eq!((sent.status, sent.answer.as_str()), (None, ""));
    let sent = send_one(&channel(settings_for("smtp://relay.invalid"))).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (Verdict::Down, "resolve"), "{sent:?}");
    assert!(sent.detail.contains("the name relay.invalid cannot be resolved"), "{sent:?}");
}

#[tokio::test]
async fn a_name_is_looked_up_by_the_machine_s_files() {
    let relay = Relay::start(Script::default()).await;
    let sent = send_one(&channel(settings_for(&format!("smtp://localhost:{}", relay.address.port())))).await;
    assert_eq!(sent.verdict, Verdict::Delivered, "{sent:?}");
}

#[tokio::test]
async fn a_changed_password_stops_mail_until_it_is_right_again() {
    let script = |password: &str| Script {
        login: Some(("tidings".to_owned(), password.to_owned())),
        offers: vec!["AUTH CRAM-MD5 LOGIN PLAIN"],
        ..Script::default()
    };
    let relay = Relay::start(script("old-password")).await;
    let mut settings = settings(&relay);
    settings.relay.login = Some(login("tidings", "old-password"));
    let first = channel(settings.clone());
    assert_eq!(send_one(&first).await.verdict, Verdict::Delivered);
    relay.change(script("new-password"));
    let sent = send_one(&channel(settings.clone())).await;
    assert_eq!((sent.verdict, sent.reason.as_str(), sent.status), (Verdict::Down, "auth-535", Some(535)));
    assert!(!format!("{sent:?}").contains("old-password"));
    settings.relay.login = Some(login("tidings", "new-password"));
    assert_eq!(send_one(&channel(settings)).await.verdict, Verdict::Delivered);
    assert!(relay.heard().iter().all(|line| !line.contains("CRAM")), "{:?}", relay.heard());
}

#[tokio::test]
async fn auth_takes_what_there_is() {
    for (offer, reason) in [("AUTH LOGIN", "delivered"), ("AUTH PLAIN", "delivered"), ("AUTH XOAUTH2", "auth-missing")]
    {
        let login = Some(("tidings".to_owned(), "secret".to_owned()));
        let relay = Relay::start(Script { login, ..Script::default() }.offering(&[offer])).await;
        let mut settings = settings(&relay);
        settings.relay.login = Some(crate::stage::login("tidings", "secret"));
        assert_eq!(send_one(&channel(settings)).await.reason, reason, "{offer}");
    }
}

#[tokio::test]
async fn other_than_ascii_needs_a_relay_that_offers_smtputf8() {
    let draft = || event(r#"{"amount":1}"#);
    let relay = Relay::start(Script::default()).await;
    let sent = send(&channel(settings(&relay)), target("jané@example.net"), draft()).await;
    assert_eq!((sent.verdict, sent.reason.as_str(), sent.status), (REFUSED, "smtputf8", None));
    let relay = Relay::start(Script::default().offering(&["SMTPUTF8", "8BITMIME"])).await;
    let sent = send(&channel(settings(&relay)), target("jané@example.net"), draft()).await;
    assert_eq!(sent.verdict, Verdict::Delivered);
    let taken = relay.only();
    assert_eq!(taken.mail, "MAIL FROM:<bounces@example.com> BODY=8BITMIME SMTPUTF8");
    assert_eq!(taken.rcpt, "RCPT TO:<jané@example.net>");
    assert!(String::from_utf8(taken.message).unwrap().contains("\r\nTo: <jané@example.net>\r\n"));
}

#[tokio::test]
async fn a_message_that_the_relay_calls_too_large_is_not_tried() {
    let relay = Relay::start(Script::default().offering(&["SIZE 1000"])).await;
    let sent = send_one(&channel(settings(&relay))).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (REFUSED, "too-large"));
    assert!(sent.detail.contains("takes at most 1000"), "{sent:?}");
    assert!(relay.heard().iter().all(|line| !line.starts_with("MAIL")), "{:?}", relay.heard());
}

#[tokio::test]
async fn what_a_relay_says_breaks_no_line_and_has_an_end() {
    let long: &'static str = Box::leak(format!("550 5.1.1 \u{1b}[2J é{}", "x".repeat(3000)).into_boxed_str());
    let (sent, _) = tried(Script::once("rcpt", Act::Say(long))).await;
    assert_eq!(sent.verdict, Verdict::Rejected { suppress: true });
    assert!(sent.detail.len() < 600 && !sent.detail.contains('\u{1b}'), "{}", sent.detail);
    assert!((3000..=4096).contains(&sent.answer.len()) && !sent.answer.contains('\u{1b}'));
    let endless: &'static str = Box::leak(format!("550 {}", "x".repeat(100_000)).into_boxed_str());
    let (sent, _) = tried(Script::once("rcpt", Act::Say(endless))).await;
    assert_eq!((sent.verdict, sent.reason.as_str()), (FAULT, "rcpt-closed"));
}

#[tokio::test]
async fn nobody_may_be_named_where_the_files_allow_nobody() {
    let address = tidings::model::address::Address::parse("jane@example.net").unwrap();
    assert!(AllowedRecipients::default().check(&address).is_err());
}
