//! An appliance whose client `crm` belongs to the group `acme`, `rival` to another one, and `erp` to none.

use hyper::Method;
use serde_json::Value;
use tidings::api::recipients::{RecipientsScopes, RecipientsSettings};
use tidings::auth::scope;
use tidings::engine::{ChannelSettings, DeliverySettings};
use tidings::model::holder::{group_client, group_subscription};
use tidings::model::recipients::{AllowedRecipients, RecipientRule};
use tidings::model::subscription::{ContractName, Origin, SubscriptionDraft};
use tidings::model::target::{EmailTarget, Role, Target};

use crate::support::client::{Answer, Call};
use crate::support::{Appliance, PUBLIC_URL, Setup, TOKEN_PATH, event_type};

pub(crate) const TABLE: &str = "/api/v1/notification/";
pub(crate) const CONFIGURE: &str = "/api/v1/notification/configure/";

/// The notifications of the published contract (seed 003).
pub(crate) const PUBLISHED: [&str; 11] = [
    "order_confirm",
    "change_status",
    "chat_ongoing",
    "service_activated",
    "order_terminate",
    "order_update",
    "study_request",
    "study_answered",
    "fon_offer",
    "fon_answered",
    "invoice_available",
];

/// The published contract's own example, of the GET's answer as of the PATCH's body (seed 003).
pub(crate) const EXAMPLE: &str = r#"{
  "order_confirm": ["admin@example.com", "order@example.com"],
  "change_status": [],
  "chat_ongoing": ["chat@example.com"],
  "service_activated": ["service@example.com"],
  "order_terminate": ["admin@example.com"],
  "order_update": ["updates@example.com"],
  "study_request": ["studies@example.com"],
  "study_answered": ["studies@example.com"],
  "fon_offer": ["fon@example.com"],
  "fon_answered": ["fon@example.com"],
  "invoice_available": ["billing@example.com"]
}"#;

pub(crate) fn setup() -> Setup {
    const ALL: &[&str] = &[scope::PUBLISH];
    let mut event_types: Vec<_> = PUBLISHED.map(event_type).into();
    for event_type in &mut event_types {
        event_type.contracts = Some(vec!["recipients".to_owned()]);
        event_type.audience_required = true;
    }
    // Not one of this contract: neither is named.
    let mut elsewhere = event_type("elsewhere");
    elsewhere.contracts = Some(vec!["polling".to_owned()]);
    event_types.extend([elsewhere, event_type("anywhere")]);
    let rules = ["example.com"].map(|rule| RecipientRule::parse(rule).unwrap()).into();
    Setup {
        clients: vec![("crm", ALL, &[]), ("rival", ALL, &[]), ("erp", ALL, &[])],
        event_types,
        delivery: DeliverySettings {
            email: Some(ChannelSettings::mail()),
            allowed_recipients: AllowedRecipients { rules, smtputf8: false },
            ..DeliverySettings::default()
        },
        recipients: Some(RecipientsSettings {
            mount: "/api/v1/notification".to_owned(),
            scopes: RecipientsScopes::default(),
            public_url: PUBLIC_URL.to_owned(),
            token_path: TOKEN_PATH.to_owned(),
        }),
        tune_auth: |auth| {
            for (client, group) in auth.clients.iter_mut().zip(["acme", "rivals"]) {
                client.affiliation.groups = vec![group.to_owned()];
            }
        },
        ..Setup::default()
    }
}

/// What the files declare of a group.
pub(crate) fn declared(group: &str, event_type: &str, address: &str) -> SubscriptionDraft {
    let address = address.to_owned();
    let target = Target::Email(EmailTarget { address, role: Role::Subscriber, template: None, locale: None });
    let id = group_subscription(group, &event_type.into());
    SubscriptionDraft {
        holders: vec![group.to_owned()],
        created_by: "configuration".to_owned(),
        origin: Origin::Configuration,
        endpoints: vec![target],
        ..SubscriptionDraft::new(id, ContractName::Recipients, group_client(group), vec![event_type.into()])
    }
}

pub(crate) fn patch(client: &'static str, body: impl Into<String>) -> Call {
    Call::new(Method::PATCH, CONFIGURE, client).header("content-type", "application/json").body(body.into())
}

impl Appliance {
    pub(crate) async fn table(&self, client: &'static str) -> Value {
        self.send(Call::get(TABLE, client)).await.expect(200).json()
    }

    pub(crate) async fn configure(&self, client: &'static str, body: impl Into<String>) -> Answer {
        self.send(patch(client, body)).await
    }

    /// Publishes an event of this type for `audience` and answers the receipt.
    pub(crate) async fn tell(&self, event_type: &str, audience: &str) -> Value {
        self.publish(&format!(r#"{{"type": "{event_type}", "audience": "{audience}", "data": {{"n": 1}}}}"#)).await
    }
}
