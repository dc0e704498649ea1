//! A whole appliance with an audit file.

use tempfile::TempDir;
use tidings::app::{self, Configured, Files, Parts, Running};
use tidings::config::{self, Sources};
use tidings::http::contract::Trace;
use tidings::http::settings::ListenAddress;

use crate::calls::{Answer, Call};
pub(crate) use crate::served::Target;
use crate::served::targets;
use crate::trails::{head, sound};

/// The secret of every client.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// An appliance: the client `driver` may do all, `watcher` nothing that a route asks for.
pub(crate) struct Stage {
    folder: TempDir,
    running: Running,
}

impl Target {
    /// The change that it makes, if it makes one.
    pub(crate) fn change(&self) -> Option<&'static str> {
        match self.route.trace {
            Trace::None => None,
            Trace::Change(name) => Some(name),
        }
    }

    /// A call of it, with `values` for its path's parameters and `unknown` for those that there are more.
    pub(crate) fn call(&self, values: &[&str]) -> Call {
        Call::new(self.route.method.as_hyper().as_str(), &self.path(values))
    }

    /// What the trail calls the object of [`Target::call`] without values.
    pub(crate) fn unknown_object(&self) -> Option<String> {
        let params = self.parameters();
        (params > 0).then(|| vec!["unknown"; params].join("/"))
    }
}

fn toml(folder: &std::path::Path, more: &str) -> String {
    let scopes = [
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
    format!(
        r#"
data_dir = "{0}/data"
server.listen = ["127.0.0.1:0"]
admin.listen = ["127.0.0.1:0"]
audit.output = "{0}/audit.log"
limits.auth_failures = "1000/s"
api.management.enabled = true
email = {{ from = "a@example.com", relay = "smtp://127.0.0.1:9", allowed_recipients = ["example.com"] }}
api.recipients.enabled = true
api.trigger.enabled = true
clients = [
    {{ id = "driver", secret = {{ value = "{SECRET}" }}, scopes = {scopes:?}, parties = ["1001"], group = "acme", subscriber = "28e5d22c-d642-42d1-8064-1182dc87c4e5" }},
    {{ id = "watcher", secret = {{ value = "{SECRET}" }}, scopes = ["nothing:here"] }},
]
{more}
[api.registrations]
enabled = true
[[event_types]]
id = "BRIEF"
ttl = {{ webhook = "1s" }}
[[event_types]]
id = "brief"
ttl = {{ webhook = "1s" }}
[[webhooks.egress]]
name = "default"
allow = ["127.0.0.1:9", "10.0.0.0/8:443"]
"#,
        folder.display()
    )
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let subscriptions =
            "subscriptions = [{ id = \"declared\", client_id = \"driver\", event_types = [\"301\"], poll = {} }]";
        Self::start_in(tempfile::tempdir().unwrap(), subscriptions).await
    }

    /// Starts one with these subscriptions in `folder`.
    pub(crate) async fn start_in(folder: TempDir, more: &str) -> Self {
        let file = folder.path().join("tidings.toml");
        std::fs::write(&file, toml(folder.path(), more)).unwrap();
        let loaded = config::load(&Sources::new(&file)).unwrap();
        let configured = Configured::of(loaded, Files::new(move || Sources::new(&file)));
        let running = app::start(configured, Parts::system()).await.unwrap();
        Self { folder, running }
    }

    /// Every route that is served.
    pub(crate) fn targets(&self) -> Vec<Target> {
        targets(&self.running)
    }

    /// Sends `call` to the contracts.
    pub(crate) async fn send(&self, call: &Call) -> Answer {
        self.send_to(false, call).await
    }

    /// Sends `call` to the contracts or to the admin listener.
    pub(crate) async fn send_to(&self, admin: bool, call: &Call) -> Answer {
        let addresses = if admin { self.running.admin_addresses() } else { self.running.addresses() };
        let ListenAddress::Tcp(address) = &addresses[0] else { panic!("a TCP address was asked for") };
        call.send(&address.to_string()).await
    }

    /// A token of `client`.
    pub(crate) async fn token(&self, client: &str) -> String {
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}");
        let answer = self.send(&Call::new("POST", "/oauth2/token").form(&body)).await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// What its trail says now.
    pub(crate) fn trail(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap()
    }

    /// Stops it; what its trail says, which must be sound.
    pub(crate) async fn end(self) -> (String, TempDir) {
        let Self { folder, running } = self;
        assert_eq!(running.stop().await, [""; 0]);
        let text = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
        let noted = head(&folder.path().join("data"));
        assert!(noted.is_some());
        sound(&text, noted);
        (text, folder)
    }
}
