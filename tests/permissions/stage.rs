//! A whole appliance in which there is something of everybody's, and what it gives out: tokens, ids.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::Value;
use tempfile::TempDir;
use tidings::app::{self, Parts, Running};
use tidings::auth::keygen::{NewSecret, new_api_key};
use tidings::base::clock::{Clock as _, ManualClock, Timestamp};
use tidings::base::random::{SeededRandomness, SystemRandomness};
use tidings::base::secret::ExposeSecret as _;
use tidings::config::{self, Sources};

use crate::door::{Answer, Door, Line};
use crate::issuers::{CONTRACTS, Issuers, POINTLESS, Said, only};
use crate::objects::{DRIVER, OTHER, Objects, Thing, kept, polled};
use crate::served::{Target, targets};

/// The scopes that the contracts of this release and later ones speak of.
pub(crate) const SCOPES: [&str; 17] = [
    "notification:consent:administrator",
    "notification:consent:consumer",
    "events:publish",
    "notifications:operate",
    "trigger",
    "customers:write",
    "create:notification_registrations",
    "view:notification_registrations",
    "edit:notification_registrations",
    "delete:notification_registrations",
    "create:notification_registrations_secret_rotation",
    "view:notifications",
    "create:notification_retry",
    "create:webhook_domains",
    "notifications:read",
    "notifications:write",
    "notifications:replay",
];
/// Those that an API key can have (contracts/events.md, contracts/trigger.md).
pub(crate) const KEY_SCOPES: [&str; 2] = ["events:publish", "trigger"];

const SECRET: &str = "a-secret-of-the-tests";
/// 2027-01-15T08:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// What the kept subscriptions are of, and the polled ones.
const KEPT_TYPE: &str = "404";
const POLLED_TYPE: &str = "301";
/// What registrations are of.
const REGISTERED_TYPE: &str = "WORKSPACE_LODGED";
/// A registration whose webhook is at a port where nobody listens.
pub(crate) const REGISTRATION: &str = r#"{"notificationType": "WEBHOOK", "eventTypes": ["WORKSPACE_LODGED", "SECRET_EXPIRY"],
    "attributes": {"webhookURI": "https://127.0.0.1:9/hook"}}"#;

pub(crate) struct Stage {
    _folder: TempDir,
    pub(crate) running: Running,
    clock: ManualClock,
    pub(crate) issuers: Issuers,
    /// An API key for each of [`KEY_SCOPES`].
    pub(crate) keys: Vec<(&'static str, String)>,
    pub(crate) objects: Objects,
    api: Line,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let (folder, clock, issuers) = (tempfile::tempdir().unwrap(), ManualClock::new(START), Issuers::new());
        let keys: Vec<_> =
            (1..).zip(KEY_SCOPES).map(|(n, scope)| (scope, new_api_key(&SeededRandomness::new(n)))).collect();
        let file = folder.path().join("tidings.toml");
        std::fs::write(&file, toml(&folder, &issuers, &keys)).unwrap();
        let settings = config::load(&Sources::new(file)).unwrap_or_else(|problems| panic!("{problems}")).settings;
        let parts = Parts { clock: Arc::new(clock.clone()), random: Arc::new(SystemRandomness::default()) };
        let running = app::start(settings, parts).await.unwrap();
        let api = Door::Api.open(&running);
        let keys = keys.into_iter().map(|(scope, key)| (scope, key.text.expose_secret().to_owned())).collect();
        Self { _folder: folder, running, clock, issuers, keys, objects: Objects::default(), api }
    }

    /// Every route that is served.
    pub(crate) fn targets(&self) -> Vec<Target> {
        targets(&self.running)
    }

    /// Time goes on.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Now, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millis() / 1000
    }

    /// A token of the driver with these scopes.
    pub(crate) async fn token(&mut self, scope: &str) -> String {
        let form = format!("grant_type=client_credentials&{}&scope={}", shown(DRIVER), scope.replace(' ', "+"));
        self.issue(&form).await
    }

    /// Ends a token of the driver.
    pub(crate) async fn revoke(&mut self, token: &str) {
        let form = format!("{}&token={token}", shown(DRIVER));
        self.post("/oauth2/revoke", FORM, None, &form).await.expect(200);
    }

    /// Has both clients publish what the kept subscriptions are of, and takes note of the ids.
    pub(crate) async fn fill(&mut self) {
        let consumer = only("management");
        let said = Said { at: self.now(), audience: "tidings", scope: "notifications:write" };
        let token = self.issuers.token(&consumer, said);
        self.manage(&consumer, &token).await;
        for client in [DRIVER, OTHER] {
            let token = self.issue(&format!("grant_type=client_credentials&{}", shown(client))).await;
            self.manage(client, &token).await;
            let event = format!(r#"{{"type": "{KEPT_TYPE}", "data": {{}}}}"#);
            let receipt = self.post("/v1/events", JSON, Some(&token), &event).await.expect(202).json();
            self.objects.add(Thing::Event, client, text(&receipt["id"]));
            // What nobody acknowledges goes on waiting.
            let poll = format!("/v1/subscriptions/{}/poll", kept(client));
            let asked = r#"{"returnImmediately": true, "leaseSeconds": 1}"#;
            let leased = self.post(&poll, JSON, Some(&token), asked).await.expect(200).json();
            self.objects.add(Thing::Notification, client, text(&leased["order"][0]));
        }
        self.register().await;
        self.advance(Duration::from_secs(2));
    }

    /// Makes a registration for each client that owns something, and has something wait for each.
    async fn register(&mut self) {
        let claimed = only("registrations");
        for client in [DRIVER, OTHER, &claimed] {
            let token = if client == claimed {
                let scope = SCOPES.join(" ");
                self.issuers.token(&claimed, Said { at: self.now(), audience: "tidings", scope: &scope })
            } else {
                self.issue(&format!("grant_type=client_credentials&{}", shown(client))).await
            };
            let path = "/partner/api/notification/v2/notification-registrations";
            let made = self.post(path, JSON, Some(&token), REGISTRATION).await.expect(201).json();
            self.objects.add(Thing::Registration, client, text(&made["registrationId"]));
        }
        let token = self.issue(&format!("grant_type=client_credentials&{}", shown(DRIVER))).await;
        let event = format!(r#"{{"type": "{REGISTERED_TYPE}", "data": {{}}}}"#);
        self.post("/v1/events", JSON, Some(&token), &event).await.expect(202);
        for client in [DRIVER, OTHER] {
            let token = self.issue(&format!("grant_type=client_credentials&{}", shown(client))).await;
            let listed = self.get("/partner/api/notification/v2/notifications", &token).await.expect(200).json();
            self.objects.add(Thing::Sent, client, text(&listed["notificationEvents"][0]["notificationId"]));
        }
    }

    /// Makes a subscription of the management contract.
    async fn manage(&mut self, client: &str, token: &str) {
        let body = r#"{"eventType": "301", "contactEmails": [{"email": "noc@example.com"}],
            "notificationChannels": {"webhook": [{"webhook": [{"callbackUri": "https://10.0.0.7/"}]}]}}"#;
        let made = self.post("/notifications/v1/subscriptions", JSON, Some(token), body).await.expect(201).json();
        self.objects.add(Thing::Managed, client, text(&made["id"]));
    }

    /// Stops it, which must go well.
    pub(crate) async fn end(self) {
        drop(self.api);
        assert_eq!(self.running.stop().await, [""; 0]);
    }

    async fn issue(&mut self, form: &str) -> String {
        let answer = self.post("/oauth2/token", FORM, None, form).await.expect(200);
        text(&answer.json()["access_token"])
    }

    async fn get(&mut self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(HOST, "localhost").header(AUTHORIZATION, format!("Bearer {token}"));
        self.api.send(request.body(Full::default()).unwrap()).await
    }

    async fn post(&mut self, path: &str, media_type: &str, token: Option<&str>, body: &str) -> Answer {
        let request = Request::post(path).header(HOST, "localhost").header(CONTENT_TYPE, media_type);
        let request =
            token.into_iter().fold(request, |request, token| request.header(AUTHORIZATION, format!("Bearer {token}")));
        self.api.send(request.body(Full::from(body.to_owned())).unwrap()).await
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// How a client shows itself at the token endpoint.
fn shown(client: &str) -> String {
    format!("client_id={client}&client_secret={SECRET}")
}

/// The clients that own something.
fn owners() -> Vec<String> {
    [DRIVER, OTHER].map(str::to_owned).into_iter().chain(CONTRACTS.map(only)).collect()
}

fn toml(folder: &TempDir, issuers: &Issuers, keys: &[(&str, NewSecret)]) -> String {
    let folder = folder.path();
    let subscription = |id: String, client: &str, event_type: &str| {
        format!(
            "[[subscriptions]]\nid = \"{id}\"\nclient_id = \"{client}\"\nevent_types = [\"{event_type}\"]\npoll = {{}}\n"
        )
    };
    let subscriptions: String = owners()
        .iter()
        .flat_map(|client| {
            [subscription(polled(client), client, POLLED_TYPE), subscription(kept(client), client, KEPT_TYPE)]
        })
        .collect();
    let key = |(scope, key): &(&str, NewSecret)| {
        format!(
            "[[api_keys]]\nid = \"key-{}\"\nhash = \"{}\"\nscopes = [{scope:?}]\n",
            scope.replace(':', "-"),
            key.hash
        )
    };
    let keys: String = keys.iter().map(key).collect();
    let scopes = [&SCOPES[..], &[POINTLESS]].concat();
    let issuers = issuers.entries(folder, &scopes);
    let few = [
        "events:publish",
        "notification:consent:consumer",
        "create:notification_registrations",
        "view:notifications",
        "notifications:write",
    ];
    format!(
        r#"
data_dir = "{0}/data"
server.listen = ["127.0.0.1:0", "unix:{0}/api.sock"]
admin.listen = ["127.0.0.1:0", "unix:{0}/admin.sock"]
audit.output = "{0}/audit.log"
api.recipients.enabled = true
api.trigger.enabled = true
# The clock stands still: what is allowed in a second is all that there is.
api.management.enabled = true
email = {{ from = "a@example.com", relay = "smtp://127.0.0.1:9", allowed_recipients = ["example.com"] }}
limits = {{ auth_failures = "1000000/s", token_rate = "unlimited" }}
clients = [
    {{ id = "{DRIVER}", secret = {{ value = "{SECRET}" }}, scopes = {scopes:?}, parties = ["{DRIVER}"], group = "acme", subscriber = "28e5d22c-d642-42d1-8064-1182dc87c4e5" }},
    {{ id = "{OTHER}", secret = {{ value = "{SECRET}" }}, scopes = {few:?}, parties = ["{OTHER}"], subscriber = "38e5d22c-d642-42d1-8064-1182dc87c4e5" }},
]
# A rotation leaves one secret, so that it can be repeated.
api.registrations = {{ enabled = true, rotation_overlap = "0s" }}
[[webhooks.egress]]
name = "default"
allow = ["127.0.0.1:9", "10.0.0.0/8:443"]
# Registrations and management take declared types alone.
[[event_types]]
id = "{POLLED_TYPE}"
[[event_types]]
id = "{REGISTERED_TYPE}"
{keys}{issuers}{subscriptions}"#,
        folder.display()
    )
}
