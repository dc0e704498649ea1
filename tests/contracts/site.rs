//! A site with all contracts: `alpha` and `rival` have an owner each, under which they are a party, a subscriber and a
//! group; `both` is of both parties and nothing else; `crm` owns nothing, publishes and operates.

use serde_json::{Value, json};
use tidings::auth::{AuthSettings, scope};
use tidings::engine::{ChannelSettings, ClientProfile, DeliverySettings};
use tidings::model::catalogue::EventType;
use tidings::model::recipients::{AllowedRecipients, RecipientRule};

use crate::management::{SUBSCRIPTIONS, Stage};
use crate::support::client::Call;
use crate::support::{Setup, event_type};
use crate::{recipients, registrations, trigger};

/// The owner of `alpha`, and of `both`.
pub(crate) const ALPHA: &str = "1001";
/// The owner of `rival`, and of `both`.
pub(crate) const RIVAL: &str = "2001";

/// A type that everybody may have.
pub(crate) const NOTICE: &str = "notice";
/// One that must be addressed.
pub(crate) const PRIVATE: &str = "private";

/// The customer's key.
pub(crate) const CUSTOMER: &str = "42";
/// Where the customer is told.
pub(crate) const CUSTOMER_ADDRESS: &str = "c-1@example.com";

const ALL: &[&str] = &[
    scope::ADMINISTRATOR,
    scope::CONSUMER,
    scope::PUBLISH,
    scope::OPERATE,
    scope::CUSTOMERS,
    scope::CREATE_REGISTRATIONS,
    scope::VIEW_REGISTRATIONS,
    scope::EDIT_REGISTRATIONS,
    scope::DELETE_REGISTRATIONS,
    scope::ROTATE_REGISTRATION_SECRETS,
    scope::VIEW_NOTIFICATIONS,
    scope::RETRY_NOTIFICATIONS,
    scope::WEBHOOK_DOMAINS,
    "notifications:read",
    "notifications:write",
    "notifications:replay",
];

pub(crate) fn setup() -> Setup {
    let clients =
        vec![("crm", ALL, &[][..]), ("alpha", ALL, &[ALPHA]), ("rival", ALL, &[RIVAL]), ("both", ALL, &[ALPHA, RIVAL])];
    let partners = ClientProfile { egress: Some("partners".to_owned()), ..ClientProfile::default() };
    let of_all = |id: &str, audience_required: bool| EventType {
        contracts: Some(["polling", "registrations", "management", "recipients", "trigger"].map(str::to_owned).into()),
        attributes: ["status", "colour"].map(str::to_owned).into(),
        audience_required,
        ..event_type(id)
    };
    let rules = vec![RecipientRule::parse("example.com").unwrap()];
    Setup {
        profiles: clients.iter().map(|(id, ..)| ((*id).into(), partners.clone())).collect(),
        clients,
        event_types: vec![of_all(NOTICE, false), of_all(PRIVATE, true)],
        declared: vec![trigger::customer("c-1", CUSTOMER)],
        delivery: DeliverySettings {
            email: Some(ChannelSettings::mail()),
            allowed_recipients: AllowedRecipients { rules, smtputf8: false },
            ..DeliverySettings::default()
        },
        registrations: registrations::setup().registrations,
        recipients: recipients::setup().recipients,
        trigger: trigger::setup().trigger,
        tune_auth: affiliate,
        ..Setup::default()
    }
}

/// The keys of the trigger contract, and that an owner is one in each contract.
pub(crate) fn affiliate(auth: &mut AuthSettings) {
    (trigger::setup().tune_auth)(auth);
    for client in &mut auth.clients {
        client.affiliation.organisation = None;
        if let [owner] = &*client.affiliation.parties {
            client.affiliation.subscriber = Some(owner.clone());
            client.affiliation.groups = vec![owner.clone()];
        }
    }
}

/// A registration of this type at a URL or an address.
pub(crate) fn registration(event_type: &str, place: &str) -> Value {
    if place.starts_with("https:") {
        let types = json!([event_type, "SECRET_EXPIRY"]);
        json!({"notificationType": "WEBHOOK", "eventTypes": types, "attributes": {"webhookURI": place}})
    } else {
        json!({"notificationType": "EMAIL", "eventTypes": [event_type], "attributes": {"email": place}})
    }
}

/// A subscription of the management contract to this type, at each of these URLs and addresses.
pub(crate) fn managed(event_type: &str, places: &[String], filters: &Value) -> Value {
    let (urls, addresses): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.starts_with("https:"));
    let mut channels = json!({});
    if !urls.is_empty() {
        let webhooks: Vec<_> = urls.iter().map(|url| json!({"callbackUri": url})).collect();
        channels["webhook"] = json!([{"webhook": webhooks}]);
    }
    if !addresses.is_empty() {
        let addresses: Vec<_> = addresses.iter().map(|address| json!({"email": address})).collect();
        channels["email"] = json!([{"email": addresses}]);
    }
    json!({
        "eventType": event_type,
        "filters": filters,
        "contactEmails": [{"email": "contact@example.com"}],
        "notificationChannels": channels,
    })
}

impl Stage {
    /// Makes a registration; answers its id.
    pub(crate) async fn register(&self, client: &'static str, event_type: &str, place: &str) -> String {
        registrations::id_of(&registrations::make(&self.appliance, client, &registration(event_type, place)).await)
    }

    /// Makes a subscription of the management contract; answers its id.
    pub(crate) async fn manage(&self, client: &'static str, body: &Value) -> String {
        self.subscribe(client, body).await["id"].as_str().unwrap().to_owned()
    }

    /// The ids of what the management contract lists for `client`.
    pub(crate) async fn managed_by(&self, client: &'static str) -> Vec<String> {
        let listed = self.get(SUBSCRIPTIONS, client).await.expect(200).json();
        listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The events that the operator sees to have gone to a subscription, in any state.
    pub(crate) async fn events_of(&self, subscription: &str) -> Vec<String> {
        let path = format!("/v1/notifications?limit=1000&subscription={subscription}");
        let page = self.get(&path, "crm").await.expect(200).json();
        let notifications = page["notifications"].as_array().unwrap().iter();
        notifications.map(|one| one["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Publishes an event as `crm`; answers its id and the receipt.
    pub(crate) async fn tell(&self, event_type: &str, audience: Option<&str>, message: &Value) -> (String, Value) {
        let mut event = json!({"type": event_type, "data": {"message": message}});
        if let Some(audience) = audience {
            event["audience"] = audience.into();
        }
        let receipt = self.send(Call::post("/v1/events", "crm", event.to_string())).await.expect(202).json();
        (receipt["id"].as_str().unwrap().to_owned(), receipt)
    }
}
