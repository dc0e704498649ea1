//! An appliance with integrators of two subscribers, an administrator, and the ready-made catalogue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings::api::registrations::RegistrationsSettings;
use tidings::auth::{AuthSettings, WebhookKeys, scope};
use tidings::base::outbound::{AllowEntry, EgressSettings, Outbound, TrustSettings};
use tidings::base::random::SeededRandomness;
use tidings::channel::email::{
    EmailChannel, EmailSettings, Mailbox, RelayAddress, RelaySettings, SUPPRESS_FOR, Security, Templates,
};
use tidings::channel::webhook::{Answers, WebhookChannel, WebhookPolicy, WebhookSettings};
use tidings::engine::{Channels, ClientProfile, Delivery, DeliveryMetrics, NoConditions};
use tidings::model::address::Address;
use tidings::model::catalogue::EventType;
use tidings::model::notification::EndpointKind;
use tidings::model::recipients::{AllowedRecipients, RecipientRule};
use tidings::store::Store as _;

use crate::support::client::{Answer, Call};
use crate::support::{Appliance, Setup, event_type};

pub(crate) const MOUNT: &str = "/partner/api/notification/v2";

/// The seed's subscriber, that of the clients `broker`, `colleague` and `plain`.
pub(crate) const SUBSCRIBER: &str = "28e5d22c-d642-42d1-8064-1182dc87c4e5";
/// The seed's other one, that of the client `rival`.
pub(crate) const OTHER: &str = "38e5d22c-d642-42d1-8064-1182dc87c4e5";
/// The seed's integrator, whose client `broker` is.
pub(crate) const INTEGRATOR: &str = "344a6eb8-1201-4b80-a279-084713e300ef";

const SCOPES: &[&str] = &[
    scope::CREATE_REGISTRATIONS,
    scope::VIEW_REGISTRATIONS,
    scope::EDIT_REGISTRATIONS,
    scope::DELETE_REGISTRATIONS,
    scope::ROTATE_REGISTRATION_SECRETS,
    scope::VIEW_NOTIFICATIONS,
    scope::RETRY_NOTIFICATIONS,
    scope::WEBHOOK_DOMAINS,
];

/// The ready-made catalogue of the contract.
const WEBHOOK_TYPES: [&str; 14] = [
    "WORKSPACE_PARTICIPANT_ADDED",
    "FINANCIAL_SETTLEMENT_SCHEDULE_PREPARED",
    "LODGEMENT_CASE_PREPARED",
    "WORKSPACE_PREPARED",
    "WORKSPACE_FUNDS_AUTHORISED",
    "WORKSPACE_FUNDS_EXCHANGED",
    "WORKSPACE_LODGED",
    "WORKSPACE_CLOSED",
    "WORKSPACE_REQUISITIONED",
    "WORKSPACE_CANCELLED",
    "WORKSPACE_REVERTED_TO_CREATED",
    "TITLE_DATA_RECEIVED",
    "TITLE_SEARCH_PENDING",
    "TITLE_NOT_FOUND",
];
const EMAIL_TYPES: [&str; 2] = ["LODGEMENT_CASE_REQUISITIONED", "NETTING_COMPLETED"];

pub(crate) fn type_for(id: &str, kind: EndpointKind) -> EventType {
    EventType { channels: Some(vec![kind]), contracts: Some(vec!["registrations".to_owned()]), ..event_type(id) }
}

/// The settings of such an appliance.
pub(crate) fn setup() -> Setup {
    let webhooks = WEBHOOK_TYPES.map(|id| type_for(id, EndpointKind::Webhook));
    let emails = EMAIL_TYPES.map(|id| type_for(id, EndpointKind::Email));
    let mut setup = Setup {
        closed: true,
        event_types: webhooks.into_iter().chain(emails).collect(),
        registrations: Some(RegistrationsSettings { allow_http: true, ..RegistrationsSettings::default() }),
        ..Setup::default()
    };
    setup.clients.extend([
        ("broker", SCOPES, &[SUBSCRIBER][..]),
        ("colleague", SCOPES, &[SUBSCRIBER]),
        ("plain", SCOPES, &[SUBSCRIBER]),
        ("rival", SCOPES, &[OTHER]),
        ("admin", SCOPES, &[]),
        ("stranger", SCOPES, &[]),
    ]);
    let plant = |integrator_id: Option<&str>, integrator_type: Option<&str>| ClientProfile {
        egress: Some("plant".to_owned()),
        integrator_id: integrator_id.map(str::to_owned),
        integrator_type: integrator_type.map(str::to_owned),
    };
    setup.profiles = [
        ("broker", plant(Some(INTEGRATOR), Some("BROKER"))),
        ("rival", plant(None, None)),
        ("admin", plant(None, None)),
        ("colleague", ClientProfile { egress: Some("narrow".to_owned()), ..ClientProfile::default() }),
    ]
    .into_iter()
    .map(|(id, profile)| (id.into(), profile))
    .collect();
    setup.tune_auth = tune_auth;
    setup
}

/// The same with other settings of the contract.
pub(crate) fn with(tune: impl FnOnce(&mut RegistrationsSettings)) -> Setup {
    let mut setup = setup();
    tune(setup.registrations.as_mut().unwrap());
    setup
}

fn tune_auth(auth: &mut AuthSettings) {
    for client in &mut auth.clients {
        client.affiliation.parties.clear();
        client.affiliation.subscriber = match client.id.as_str() {
            "broker" | "colleague" | "plain" => Some(SUBSCRIBER.to_owned()),
            "rival" => Some(OTHER.to_owned()),
            _ => None,
        };
        if client.id.as_str() == "admin" {
            client.acts_for_any = ["registrations".to_owned()].into();
        }
    }
}

/// What is sent by: webhooks under the policy `plant`, which allows all public addresses and these, and mail to one domain.
pub(crate) fn channels(allow: &[&str], answers: Answers, tune: impl FnOnce(&mut WebhookSettings)) -> Channels {
    let outbound = Outbound::new(TrustSettings { system: false, certificates: Vec::new() });
    let policy = |name: &str, allow: &[&str], answers| WebhookPolicy {
        egress: EgressSettings {
            allow: allow.iter().map(|entry| AllowEntry::parse(entry).unwrap()).collect(),
            ..EgressSettings::nothing(name.to_owned())
        },
        rate: None,
        answers,
    };
    let plant: Vec<_> = allow.iter().copied().chain(["public:443"]).collect();
    let policies = vec![
        policy("plant", &plant, answers),
        policy("narrow", &["hook.example.org:443", "public:443"], Answers::Kept),
        policy("default", &[], Answers::Kept),
    ];
    let mut settings = WebhookSettings { policies, ..WebhookSettings::default() };
    tune(&mut settings);
    let keys = Arc::new(WebhookKeys::in_memory(&SeededRandomness::new(1)));
    let webhooks = WebhookChannel::new(settings, &outbound, keys);
    Channels { webhooks: Some(Arc::new(webhooks)), email: Some(Arc::new(EmailChannel::new(mail(), &outbound))) }
}

fn mail() -> EmailSettings {
    EmailSettings {
        relay: RelaySettings {
            address: RelayAddress::parse("smtp://127.0.0.1:1").unwrap(),
            security: Security::None,
            login: None,
            helo: Some("site.example.com".to_owned()),
            timeout: Duration::from_secs(10),
            connections: 1,
            idle: Duration::from_secs(30),
        },
        envelope_from: Address::parse("bounces@example.com").unwrap(),
        from: Mailbox::parse("Tidings <tidings@example.com>").unwrap(),
        list_unsubscribe: Vec::new(),
        dkim: None,
        rate: None,
        allowed_recipients: AllowedRecipients {
            rules: vec![RecipientRule::parse("company.com").unwrap()],
            smtputf8: false,
        },
        suppress_for: SUPPRESS_FOR,
        templates: Arc::new(Templates::built_in(TimeZone::UTC)),
        default_locale: "en".to_owned(),
        type_names: HashMap::new(),
    }
}

/// One that sends nothing.
pub(crate) async fn start(setup: Setup) -> Appliance {
    let appliance = Appliance::start(setup).await;
    appliance.engine.use_channels(channels(&[], Answers::Kept, |_| {}));
    appliance
}

/// One that sends to these addresses.
pub(crate) async fn delivering(setup: Setup, channels: Channels) -> Appliance {
    let appliance = Appliance::start(setup).await;
    appliance.engine.use_channels(channels);
    let delivery = Delivery { conditions: Arc::new(NoConditions), metrics: DeliveryMetrics::new() };
    tokio::spawn(appliance.engine.clone().run_delivery(delivery));
    appliance
}

/// The seed's webhook.
pub(crate) fn webhook() -> Value {
    webhook_to("https://example.com/webhook")
}

/// The same at another URL.
pub(crate) fn webhook_to(url: &str) -> Value {
    json!({
        "notificationType": "WEBHOOK",
        "eventTypes": ["WORKSPACE_LODGED", "SECRET_EXPIRY"],
        "attributes": {"webhookURI": url},
    })
}

/// The seed's example, as it is written there.
pub(crate) fn email() -> Value {
    let text = r#"{ "notificationType": "EMAIL", "attributes": { "email": "myTeam@Company.com" }, "eventTypes": [ "LODGEMENT_CASE_REQUISITIONED" ] }"#;
    serde_json::from_str(text).unwrap()
}

/// The path of the registrations, or of one of them.
pub(crate) fn path(id: &str) -> String {
    let end = if id.is_empty() { String::new() } else { format!("/{id}") };
    format!("{MOUNT}/notification-registrations{end}")
}

pub(crate) fn post(client: &'static str, body: &Value) -> Call {
    Call::post(&path(""), client, body.to_string())
}

pub(crate) fn put(id: &str, client: &'static str, body: &Value) -> Call {
    Call::new(Method::PUT, &path(id), client).body(body.to_string()).header("content-type", "application/json")
}

pub(crate) fn rotate(id: &str, client: &'static str, query: &str) -> Call {
    Call::new(Method::POST, &format!("{}{query}", path(&format!("{id}/secret-rotation"))), client)
}

/// Makes one for `client`; what was answered.
pub(crate) async fn make(appliance: &Appliance, client: &'static str, body: &Value) -> Value {
    appliance.send(post(client, body)).await.expect(201).json()
}

pub(crate) fn id_of(registration: &Value) -> String {
    registration["registrationId"].as_str().unwrap().to_owned()
}

/// What the list says, with this query.
pub(crate) async fn list(appliance: &Appliance, client: &'static str, query: &str) -> Value {
    appliance.send(Call::get(&format!("{}{query}", path("")), client)).await.expect(200).json()
}

/// What `/notifications` says, with this query.
pub(crate) async fn notifications(appliance: &Appliance, client: &'static str, query: &str) -> Value {
    appliance.send(Call::get(&format!("{MOUNT}/notifications{query}"), client)).await.expect(200).json()
}

/// The errors of an answer, which must have this status: code, message and field of each.
#[track_caller]
pub(crate) fn errors(answer: Answer, status: u16) -> Vec<(String, String, String)> {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = body["errors"].as_array().unwrap().iter();
    let errors: Vec<_> = errors.map(|e| (text(&e["code"]), text(&e["message"]), text(&e["field"]))).collect();
    assert!(!errors.is_empty() && errors.iter().all(|(code, message, _)| !code.is_empty() && !message.is_empty()));
    errors
}

/// The only error of an answer: its code and its field.
#[track_caller]
pub(crate) fn error(answer: Answer, status: u16) -> (String, String) {
    let mut errors = errors(answer, status);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (code, _, field) = errors.pop().unwrap();
    (code, field)
}

/// The fields of a 400, each with a word of its message.
#[track_caller]
pub(crate) fn problems(answer: Answer) -> Vec<(String, String)> {
    let errors = errors(answer, 400);
    assert!(errors.iter().all(|(code, _, _)| code == "TDG.REG.001"), "{errors:?}");
    errors.into_iter().map(|(_, message, field)| (field, message)).collect()
}

/// The key behind `whsec_`.
pub(crate) fn key(secret: &str) -> Vec<u8> {
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
}

/// How many registrations there are.
pub(crate) fn count(appliance: &Appliance) -> u64 {
    appliance.store.figures().subscriptions
}
