//! A channel for a relay, and messages to send by it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use mail_parser::{Message as Parsed, MessageParser};
use tidings::base::clock::Timestamp;
use tidings::base::outbound::{Outbound, TrustSettings, read_certificates};
use tidings::channel::email::{
    EmailChannel, EmailSettings, Login, Mailbox, RelayAddress, RelaySettings, SUPPRESS_FOR, Security, Templates,
};
use tidings::channel::{Channel as _, Message, Sent};
use tidings::model::address::Address;
use tidings::model::event::{Event, EventDraft};
use tidings::model::id::{Epoch, LedgerId};
use tidings::model::json::RawJson;
use tidings::model::recipients::AllowedRecipients;
use tidings::model::subscription::{ContractName, Subscription, SubscriptionDraft};
use tidings::model::target::{EmailTarget, Role, Target};

use crate::pki::Authority;
use crate::relay::Relay;

pub(crate) const EVENT: &str = "0198f0c2-1111-7000-8000-000000040000";
pub(crate) const NOTIFICATION: &str = "0198f0c2-1111-7000-8000-000000040001";

/// 2026-11-22T18:01:29Z
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_370_489_000);

/// Settings for `relay`, without TLS.
pub(crate) fn settings(relay: &Relay) -> EmailSettings {
    settings_for(&format!("smtp://{}", relay.address))
}

pub(crate) fn settings_for(relay: &str) -> EmailSettings {
    let from = Mailbox::parse("Tidings <tidings@example.com>").unwrap();
    EmailSettings {
        relay: RelaySettings {
            address: RelayAddress::parse(relay).unwrap(),
            security: Security::None,
            login: None,
            helo: Some("site.example.com".to_owned()),
            timeout: Duration::from_secs(10),
            connections: 4,
            idle: Duration::from_secs(30),
        },
        envelope_from: Address::parse("bounces@example.com").unwrap(),
        from,
        list_unsubscribe: Vec::new(),
        dkim: None,
        rate: None,
        allowed_recipients: AllowedRecipients::default(),
        suppress_for: SUPPRESS_FOR,
        templates: Arc::new(Templates::built_in(TimeZone::UTC)),
        default_locale: "en".to_owned(),
        type_names: HashMap::new(),
    }
}

pub(crate) fn login(username: &str, password: &str) -> Login {
    Login { username: username.to_owned(), password: password.to_owned().into() }
}

/// A channel that trusts nobody.
pub(crate) fn channel(settings: EmailSettings) -> EmailChannel {
    EmailChannel::new(settings, &Outbound::new(TrustSettings { system: false, certificates: Vec::new() }))
}

/// A channel that trusts `authority`.
pub(crate) fn trusting(settings: EmailSettings, authority: &Authority) -> EmailChannel {
    let certificates = read_certificates(authority.pem().as_bytes()).unwrap();
    EmailChannel::new(settings, &Outbound::new(TrustSettings { system: false, certificates }))
}

pub(crate) fn target(address: &str) -> EmailTarget {
    EmailTarget { address: address.to_owned(), role: Role::Subscriber, template: None, locale: None }
}

pub(crate) fn event(data: &str) -> EventDraft {
    EventDraft {
        publisher: "crm".into(),
        id: None,
        source: "/crm".to_owned(),
        event_type: "301".into(),
        subject: None,
        time: None,
        data_schema: None,
        audience: None,
        expiry: None,
        trace: None,
        extensions: Vec::new(),
        data: (!data.is_empty()).then(|| RawJson::parse(&Bytes::copy_from_slice(data.as_bytes())).unwrap()),
    }
}

pub(crate) fn message(draft: EventDraft) -> Message {
    Message {
        id: LedgerId::parse(NOTIFICATION).unwrap(),
        subscription: subscription("crm-accounts"),
        number: None,
        event: Event { id: LedgerId::parse(EVENT).unwrap(), accepted: NOW, draft },
        attempt: 1,
        now: NOW,
        epoch: Epoch::default(),
    }
}

/// Sends `draft` to `target` by `channel`.
pub(crate) async fn send(channel: &EmailChannel, target: EmailTarget, draft: EventDraft) -> Sent {
    channel.send(&Target::Email(target), &message(draft)).await
}

/// Sends some event to somebody.
pub(crate) async fn send_one(channel: &EmailChannel) -> Sent {
    send(channel, target("jane@example.net"), event(r#"{"amount":1.50}"#)).await
}

/// What a mail client reads.
pub(crate) fn parsed(message: &[u8]) -> Parsed<'_> {
    MessageParser::default().parse(message).unwrap()
}

fn subscription(id: &str) -> Arc<Subscription> {
    let draft = SubscriptionDraft::new(id.into(), ContractName::Polling, "crm".into(), vec!["301".into()]);
    Arc::new(draft.into_subscription(Timestamp::default(), Vec::new()))
}
