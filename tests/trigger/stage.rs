//! An appliance with API keys and customers.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tidings::api::polling::UnknownMembers;
use tidings::api::trigger::{TriggerSettings, UnknownRecipient};
use tidings::auth::{ApiKeySettings, KeptKey, Terms, scope};
use tidings::base::secret::SecretHash;
use tidings::engine::{ChannelSettings, DeliverySettings};
use tidings::model::holder::{customer_client, customer_subscription};
use tidings::model::notification::EndpointKind;
use tidings::model::profile::Profile;
use tidings::model::recipients::{AllowedRecipients, RecipientRule};
use tidings::model::subscription::{ContractName, Origin, SubscriptionDraft};
use tidings::model::target::{EmailTarget, Role, Target, WebhookTarget};

use crate::support::client::{Answer, Call};
use crate::support::{Appliance, PUBLIC_URL, Setup, event_type};

pub(crate) const MOUNT: &str = "/v2/notification";

/// The key of `billing`, which has the scope; of no organisation.
pub(crate) const KEY: &str = "tdg_aaaaaaaa_good";
/// The key of `acme`, of the organisation of that name.
pub(crate) const ACME: &str = "tdg_bbbbbbbb_good";
/// A key without the scope.
pub(crate) const POWERLESS: &str = "tdg_cccccccc_good";

pub(crate) fn setup() -> Setup {
    const ALL: &[&str] = &[scope::CUSTOMERS, scope::OPERATE, scope::CONSUMER, scope::TRIGGER, scope::PUBLISH];
    let mut urgent = event_type("powerFailure");
    urgent.urgent = true;
    let mut elsewhere = event_type("elsewhere");
    elsewhere.contracts = Some(vec!["polling".to_owned()]);
    Setup {
        clients: vec![("crm", ALL, &[]), ("erp", ALL, &[]), ("watcher", &["other:scope"], &[])],
        event_types: vec![urgent, event_type("declaredType"), elsewhere],
        declared: vec![customer("c-1", "42")],
        delivery: DeliverySettings {
            email: Some(ChannelSettings::mail()),
            allowed_recipients: AllowedRecipients { rules: vec![RecipientRule::Any], smtputf8: false },
            ..DeliverySettings::default()
        },
        trigger: Some(TriggerSettings {
            mount: MOUNT.to_owned(),
            aliases: vec!["/notification".to_owned()],
            recipient_keys: ["customerId", "accountId", "email", "msisdn", "registrationString"]
                .map(str::to_owned)
                .into(),
            unknown_recipient: UnknownRecipient::Refuse,
            repeat_window: Duration::from_mins(20),
            unknown_members: UnknownMembers::Ignore,
            public_url: PUBLIC_URL.to_owned(),
        }),
        tune_auth: |auth| {
            let key = |id: &str, text: &str, scopes: &[&str], organisation: Option<&str>| ApiKeySettings {
                id: id.into(),
                keys: vec![KeptKey { public: text[4..12].to_owned(), secret: SecretHash::of(text.as_bytes()).into() }],
                scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
                organisation: organisation.map(str::to_owned),
                terms: Terms::default(),
            };
            auth.api_keys = vec![
                key("billing", KEY, &[scope::TRIGGER], None),
                key("acme", ACME, &[scope::TRIGGER], Some("acme")),
                key("powerless", POWERLESS, &[scope::PUBLISH], None),
            ];
            auth.clients[1].affiliation.organisation = Some("acme".to_owned());
        },
        ..Setup::default()
    }
}

/// A declared customer with a mail address, whose `customerId` is `key`.
pub(crate) fn customer(id: &str, key: &str) -> SubscriptionDraft {
    let address = format!("{id}@example.com");
    let email = Target::Email(EmailTarget { address, role: Role::Subscriber, template: None, locale: None });
    SubscriptionDraft {
        created_by: "configuration".to_owned(),
        origin: Origin::Configuration,
        profile: Some(Profile {
            keys: BTreeMap::from([("customerId".to_owned(), key.to_owned())]),
            channels: vec![EndpointKind::Email],
            ..Profile::default()
        }),
        endpoints: vec![email],
        ..SubscriptionDraft::new(
            customer_subscription(None, id),
            ContractName::Trigger,
            customer_client(id),
            Vec::new(),
        )
    }
}

pub(crate) fn webhook() -> Target {
    Target::Webhook(WebhookTarget { asymmetric: true, ..WebhookTarget::new("https://h.example/hook", "plant") })
}

/// A command with the key of `billing`.
pub(crate) fn command(body: impl Into<String>) -> Call {
    with_key(KEY, body)
}

pub(crate) fn with_key(key: &str, body: impl Into<String>) -> Call {
    let call = Call::new(Method::POST, MOUNT, "crm").without_token().header("content-type", "application/json");
    call.header("x-api-key", key).body(body.into())
}

/// The body of a command of the published type with these parameters.
pub(crate) fn added(parameters: &Value) -> String {
    json!({"type": "partnerSubscriptionAdded", "parameters": parameters}).to_string()
}

/// What puts a customer.
pub(crate) fn put(client: &'static str, id: &str, body: &Value) -> Call {
    let call = Call::new(Method::PUT, &format!("/v1/customers/{id}"), client).body(body.to_string());
    call.header("content-type", "application/json")
}

impl Appliance {
    /// Sends a command that must be taken.
    pub(crate) async fn trigger(&self, parameters: &Value) -> Answer {
        let answer = self.send(command(added(parameters))).await.expect(200);
        assert!(answer.body.is_empty(), "{}", answer.text());
        answer
    }

    /// All notifications, as the operator sees them, oldest first.
    pub(crate) async fn notifications(&self) -> Vec<Value> {
        let found = self.send(Call::get("/v1/notifications", "crm")).await.expect(200).json();
        found["notifications"].as_array().unwrap().clone()
    }

    /// The story of a notification.
    pub(crate) async fn story(&self, notification: &Value) -> Value {
        let path = format!("/v1/notifications/{}", notification["id"].as_str().unwrap());
        self.send(Call::get(&path, "crm")).await.expect(200).json()
    }

    /// The event of a notification.
    pub(crate) async fn event(&self, notification: &Value) -> Value {
        let path = format!("/v1/events/{}", notification["event"].as_str().unwrap());
        self.send(Call::get(&path, "crm")).await.expect(200).json()
    }
}
