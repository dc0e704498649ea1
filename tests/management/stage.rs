//! An appliance with consumers of several parties, and with channels that judge where things may go as the real ones do
//! and send as a test has said.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tidings::auth::{AuthSettings, WebhookKeys};
use tidings::base::outbound::{AllowEntry, EgressSettings, Outbound, TrustSettings};
use tidings::base::random::SeededRandomness;
use tidings::channel::email::{
    EmailChannel, EmailSettings, Mailbox, RelayAddress, RelaySettings, SUPPRESS_FOR, Security, Templates,
};
use tidings::channel::webhook::{Answers, WebhookChannel, WebhookPolicy, WebhookSettings};
use tidings::channel::{Channel, Message, Sent, Shared, Verdict};
use tidings::engine::{
    ChannelSettings, Channels, ClientProfile, Delivery, DeliveryMetrics, DeliverySettings, NoConditions,
};
use tidings::model::address::Address;
use tidings::model::attempt::Phases;
use tidings::model::notification::State;
use tidings::model::recipients::{AllowedRecipients, RecipientRule};
use tidings::model::target::Target;
use tidings::store::{Look, NotificationView, Store as _};

use crate::support::client::{Answer, Call};
use crate::support::{Appliance, Setup, event_type, until};

pub(crate) const SUBSCRIPTIONS: &str = "/notifications/v1/subscriptions";
pub(crate) const REPLAYS: &str = "/notifications/v1/notifications/replays";

/// The scopes of a consumer, who publishes too.
const ALL: &[&str] = &["notifications:read", "notifications:write", "notifications:replay", "events:publish"];

/// What was sent: where, and the message.
type Tried = (String, Message);

/// Channels that judge as the real ones do.
pub(crate) struct Script {
    webhooks: WebhookChannel,
    mail: EmailChannel,
    tried: Mutex<Vec<Tried>>,
    works: Mutex<bool>,
}

#[async_trait]
impl Channel for Script {
    fn shared(&self, target: &Target) -> Shared {
        Shared { target: target.shown(), rate: None }
    }

    fn objection(&self, target: &Target) -> Option<String> {
        match target {
            Target::Email(_) => self.mail.objection(target),
            Target::Webhook(_) | Target::Poll => self.webhooks.objection(target),
        }
    }

    async fn send(&self, target: &Target, message: &Message) -> Sent {
        self.tried.lock().push((target.shown(), message.clone()));
        let verdict = if *self.works.lock() { Verdict::Delivered } else { Verdict::Rejected { suppress: false } };
        let (reason, detail) = ("status-400".to_owned(), "the script says so".to_owned());
        Sent { verdict, reason, status: Some(400), detail, answer: String::new(), phases: Phases::default() }
    }
}

impl Script {
    fn new() -> Arc<Self> {
        let trust = TrustSettings { system: false, certificates: Vec::new() };
        let outbound = Arc::new(Outbound::new(trust));
        let policy = |name: &str, allow: &[&str]| {
            let allow = allow.iter().map(|entry| AllowEntry::parse(entry).unwrap()).collect();
            let egress = EgressSettings { allow, ..EgressSettings::nothing(name.to_owned()) };
            WebhookPolicy { egress, rate: None, answers: Answers::Kept }
        };
        let policies =
            vec![policy("default", &[]), policy("partners", &["example.com:443", "public:443", "10.0.0.0/8:80"])];
        let keys = Arc::new(WebhookKeys::in_memory(&SeededRandomness::new(1)));
        let webhooks = WebhookChannel::new(WebhookSettings { policies, ..WebhookSettings::default() }, &outbound, keys);
        Arc::new(Self {
            webhooks,
            mail: EmailChannel::new(mail(), &outbound),
            tried: Mutex::default(),
            works: Mutex::new(true),
        })
    }

    /// From now on it takes everything, or nothing.
    pub(crate) fn works(&self, works: bool) {
        *self.works.lock() = works;
    }

    /// What was sent so far.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        self.tried.lock().clone()
    }
}

fn mail() -> EmailSettings {
    let rules = vec![RecipientRule::parse("example.com").unwrap()];
    EmailSettings {
        relay: RelaySettings {
            address: RelayAddress::parse("smtp://127.0.0.1:9").unwrap(),
            security: Security::None,
            login: None,
            helo: None,
            timeout: Duration::from_secs(10),
            connections: 4,
            idle: Duration::from_secs(30),
        },
        envelope_from: Address::parse("bounces@example.com").unwrap(),
        from: Mailbox::parse("Tidings <tidings@example.com>").unwrap(),
        list_unsubscribe: Vec::new(),
        dkim: None,
        rate: None,
        allowed_recipients: AllowedRecipients { rules, smtputf8: false },
        suppress_for: SUPPRESS_FOR,
        templates: Arc::new(Templates::built_in(TimeZone::UTC)),
        default_locale: "en".to_owned(),
        type_names: HashMap::new(),
    }
}

pub(crate) struct Stage {
    pub(crate) appliance: Appliance,
    pub(crate) script: Arc<Script>,
}

/// `noc` is of the parties 1001 and 1002, `desk` and `late` of 1001, `rival` of 2001, `nobody` of none; `admin`, of 9001,
/// may act for any. `poor` is of 1001 and has the built-in egress policy.
pub(crate) fn setup() -> Setup {
    let mut activation = event_type("ONTActivation");
    activation.attributes = ["status", "opticalStatus"].map(str::to_owned).to_vec();
    let clients = vec![
        ("noc", ALL, &["1001", "1002"][..]),
        ("desk", ALL, &["1001"]),
        ("rival", ALL, &["2001"]),
        ("nobody", ALL, &[]),
        ("admin", ALL, &["9001"]),
        ("poor", ALL, &["1001"]),
        ("reader", &["notifications:read"], &["1001"]),
        ("crm", ALL, &["1001"]),
    ];
    let partners = ClientProfile { egress: Some("partners".to_owned()), ..ClientProfile::default() };
    let profiles = clients.iter().filter(|(id, ..)| *id != "poor").map(|(id, ..)| ((*id).into(), partners.clone()));
    Setup {
        profiles: profiles.collect(),
        clients,
        event_types: vec![activation, event_type("Outage")],
        delivery: DeliverySettings { email: Some(ChannelSettings::mail()), ..DeliverySettings::default() },
        tune_auth: tune,
        ..Setup::default()
    }
}

fn tune(auth: &mut AuthSettings) {
    for client in &mut auth.clients {
        match client.id.as_str() {
            "noc" => client.affiliation.organisation = Some("Example Fibre".to_owned()),
            "admin" => {
                client.affiliation.organisation = Some("House".to_owned());
                client.acts_for_any.insert("management".to_owned());
            }
            _ => {}
        }
    }
}

impl Stage {
    pub(crate) async fn plain() -> Self {
        Self::start(setup()).await
    }

    pub(crate) async fn start(setup: Setup) -> Self {
        let stage = Self { appliance: Appliance::start(setup).await, script: Script::new() };
        stage.open();
        stage
    }

    /// Has what is sent go through the script.
    pub(crate) fn open(&self) {
        let delivery = Delivery { conditions: Arc::new(NoConditions), metrics: DeliveryMetrics::new() };
        tokio::spawn(self.appliance.engine.clone().run_delivery(delivery));
        let channel = Some(self.script.clone() as _);
        self.appliance.engine.use_channels(Channels { webhooks: channel.clone(), email: channel });
    }

    /// Stops it and starts it on the same data file.
    pub(crate) async fn restart(self, setup: Setup) -> Self {
        let stage = Self { appliance: self.appliance.restart(setup).await, script: self.script };
        stage.open();
        stage
    }

    pub(crate) async fn send(&self, call: Call) -> Answer {
        self.appliance.send(call).await
    }

    pub(crate) async fn get(&self, path: &str, client: &'static str) -> Answer {
        self.send(Call::get(path, client)).await
    }

    pub(crate) async fn post(&self, path: &str, client: &'static str, body: &Value) -> Answer {
        self.send(Call::post(path, client, body.to_string())).await
    }

    pub(crate) async fn patch(&self, id: &str, client: &'static str, body: &Value) -> Answer {
        let call = Call::new(hyper::Method::PATCH, &subscription(id), client).body(body.to_string());
        self.send(call.header("content-type", "application/json")).await
    }

    /// Makes a subscription; answers it.
    pub(crate) async fn subscribe(&self, client: &'static str, body: &Value) -> Value {
        self.post(SUBSCRIPTIONS, client, body).await.expect(201).json()
    }

    /// What is wrong with a body of a new subscription.
    pub(crate) async fn refused(&self, body: &Value) -> Vec<String> {
        let answer = self.post(SUBSCRIPTIONS, "noc", body).await.expect(400).json();
        assert_eq!(answer["statusCode"], 400);
        let message = answer["message"].as_array().unwrap_or_else(|| panic!("{answer}"));
        message.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Publishes an event for this audience with this message.
    pub(crate) async fn publish(&self, event_type: &str, audience: &str, message: &Value) -> Value {
        let mut event = json!({"type": event_type, "data": {"message": message}});
        if !audience.is_empty() {
            event["audience"] = audience.into();
        }
        self.post("/v1/events", "crm", &event).await.expect(202).json()
    }

    /// All notifications of a subscription, oldest first.
    pub(crate) async fn notifications(&self, id: &str) -> Vec<NotificationView> {
        let look = Look { subscription: Some(id.into()), limit: 1000, ..Look::default() };
        self.appliance.store.notifications(look).await.unwrap().notifications
    }

    /// Waits until each notification of a subscription has ended; answers the states.
    pub(crate) async fn ends(&self, id: &str) -> Vec<State> {
        for _ in 0..5000 {
            let states: Vec<_> = self.notifications(id).await.iter().map(|view| view.state).collect();
            if states.iter().all(|state| state.is_end()) {
                return states;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("they do not end: {:?}", self.notifications(id).await);
    }

    /// Waits until so much was tried in all.
    pub(crate) async fn tried(&self, count: usize) -> Vec<Tried> {
        until("it was tried", || self.script.tried().len() >= count).await;
        let tried = self.script.tried();
        assert_eq!(tried.len(), count, "{tried:?}");
        tried
    }
}

/// The path of a subscription.
pub(crate) fn subscription(id: &str) -> String {
    format!("{SUBSCRIPTIONS}/{id}")
}

/// contracts/management.md, "Create": the example, as it stands there but for the day, which is within the year.
pub(crate) fn example() -> Value {
    json!({
        "eventType": "ONTActivation",
        "filters": {"target": "my", "attributes": [{"status": "Success", "__not__": {"opticalStatus": "Good"}}]},
        "contactEmails": [{"email": "noc@example.com"}],
        "expiresOn": "2027-08-24",
        "notificationChannels": {
            "email": [{"email": [{"email": "user@example.com"}]}],
            "webhook": [{"webhook": [{"callbackUri": "https://example.com/cb", "errorStrategy": "ignore",
                                      "auth": {"username": "u", "password": "p"}}]}],
        },
    })
}

/// One with a webhook alone, for all events of a type.
pub(crate) fn hook(event_type: &str, url: &str) -> Value {
    json!({
        "eventType": event_type,
        "contactEmails": [{"email": "noc@example.com"}],
        "notificationChannels": {"webhook": [{"webhook": [{"callbackUri": url}]}]},
    })
}

/// `value` with another member at this pointer, or without it.
pub(crate) fn with(value: &Value, pointer: &str, member: impl Into<Option<Value>>) -> Value {
    let (mut value, (parent, name)) = (value.clone(), pointer.rsplit_once('/').unwrap());
    let parent = value.pointer_mut(parent).unwrap();
    match (parent, member.into()) {
        (Value::Object(members), Some(member)) => drop(members.insert(name.to_owned(), member)),
        (Value::Object(members), None) => drop(members.remove(name)),
        (Value::Array(items), Some(member)) => items[name.parse::<usize>().unwrap()] = member,
        other => panic!("{other:?}"),
    }
    value
}

/// What a subscription is counted by: the states of its notifications.
pub(crate) fn counted(views: &[NotificationView]) -> BTreeMap<&'static str, usize> {
    let mut counted = BTreeMap::new();
    for view in views {
        *counted.entry(view.state.as_str()).or_default() += 1;
    }
    counted
}
