//! Files, and an appliance that runs with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::api::admin::{ConfigurationReport, NotReloaded, PlanReport, ReloadReport};
use tidings::app::{self, Configured, Files, Parts, Running, Trigger};
use tidings::base::clock::{ManualClock, Timestamp};
use tidings::base::random::SystemRandomness;
use tidings::config::{self, Sources};
use tidings::http::settings::ListenAddress;

use crate::calls::{Answer, Call};

/// The secret of every client.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_341_600_000);

/// The files that the tests begin with, but for the listeners: `crm` and `erp` may do all.
pub(crate) const FILES: &str = r#"
[[clients]]
id = "crm"
secret = { value = "a-secret-of-the-tests" }
scopes = ["notification:consent:administrator", "notification:consent:consumer", "events:publish", "notifications:operate"]
parties = ["1001"]
[[clients]]
id = "erp"
secret = { value = "a-secret-of-the-tests" }
scopes = ["notification:consent:administrator", "notification:consent:consumer", "events:publish", "notifications:operate"]
[[subscriptions]]
id = "crm-accounts"
client_id = "crm"
event_types = ["301"]
poll = {}
"#;

/// A running appliance, and the folder that its files are in.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) running: Running,
}

impl Stage {
    /// Starts one with these files.
    pub(crate) async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), text);
        let file = main_file(folder.path());
        let loaded = config::load(&Sources::new(&file)).unwrap_or_else(|problems| panic!("{problems}"));
        let configured = Configured::of(loaded, Files::new(move || Sources::new(&file)));
        let clock = ManualClock::new(START);
        let parts = Parts { clock: Arc::new(clock), random: Arc::new(SystemRandomness::default()) };
        let running = app::start(configured, parts).await.unwrap();
        Self { folder, running }
    }

    /// Writes other files.
    pub(crate) fn write(&self, text: &str) {
        write(self.folder.path(), text);
    }

    /// Writes other files, and has them read.
    pub(crate) async fn reload(&self, text: &str) -> ReloadReport {
        self.write(text);
        self.try_reload().await.unwrap_or_else(|why| panic!("{why:?}"))
    }

    /// Has files read that are bad; what is told of that.
    pub(crate) async fn refused(&self, text: &str) -> String {
        self.write(text);
        match self.try_reload().await {
            Err(NotReloaded::Refused(problems)) => {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn try_reload(&self) -> Result<ReloadReport, NotReloaded> {
        self.running.reloads().reload(Trigger::Signal).await
    }

    pub(crate) async fn plan(&self) -> PlanReport {
        self.running.reloads().plan().await.unwrap_or_else(|why| panic!("{why:?}"))
    }

    pub(crate) async fn show(&self) -> ConfigurationReport {
        self.running.reloads().show().await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        tcp(self.running.addresses())
    }

    /// Sends `call` to the contracts.
    pub(crate) async fn send(&self, call: &Call) -> Answer {
        call.send(&self.address()).await
    }

    /// Sends `call` to the admin listener.
    pub(crate) async fn ask(&self, call: &Call) -> Answer {
        call.send(&tcp(self.running.admin_addresses())).await
    }

    /// A token of `client`.
    pub(crate) async fn token(&self, client: &str) -> String {
        let body = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}");
        let answer = self.send(&Call::new("POST", "/oauth2/token").form(&body)).await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Publishes an event of `event_type`; how many subscriptions it matched.
    pub(crate) async fn publish(&self, token: &str, event_type: &str) -> u64 {
        let event = json!({"type": event_type, "data": {}}).to_string();
        let receipt = self.send(&Call::new("POST", "/v1/events").bearer(token).json(event)).await.expect(202).json();
        receipt["matched"].as_u64().unwrap()
    }

    /// What a poll of `subscription` takes.
    pub(crate) async fn poll(&self, token: &str, subscription: &str) -> Answer {
        let path = format!("/notification/v1/subscriptions/{subscription}/notifications");
        self.send(&Call::new("GET", &path).bearer(token)).await
    }

    /// Makes a subscription of `client` through the API; its id.
    pub(crate) async fn subscribe(&self, token: &str, client: &str) -> String {
        let body = json!({"event_type_ids": ["301"], "client_id": client}).to_string();
        let made = Call::new("POST", "/notification/v1/subscriptions").bearer(token).json(body);
        self.send(&made).await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    /// What the operator sees of a subscription; `None` if there is none.
    pub(crate) async fn subscription(&self, token: &str, id: &str) -> Option<Value> {
        let answer = self.send(&Call::new("GET", &format!("/v1/subscriptions/{id}")).bearer(token)).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// The details of readiness.
    pub(crate) async fn details(&self) -> Value {
        let answer = self.ask(&Call::new("GET", "/health/ready")).await.expect(200);
        answer.json()["details"].clone()
    }

    /// The value of a metric.
    pub(crate) async fn metric(&self, name: &str) -> String {
        let answer = self.ask(&Call::new("GET", "/metrics")).await.expect(200).body;
        let line = answer.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name}")).split(' ').nth(1).unwrap().to_owned()
    }

    pub(crate) async fn end(self) -> TempDir {
        assert_eq!(self.running.stop().await, [""; 0]);
        self.folder
    }
}

/// How many notifications the answer to a poll has.
#[track_caller]
pub(crate) fn results(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().unwrap().len()
}

fn write(folder: &Path, text: &str) {
    let head = format!(
        "data_dir = \"{0}/data\"\nserver.listen = [\"127.0.0.1:0\"]\nadmin.listen = [\"127.0.0.1:0\", \
         \"unix:{0}/admin.sock\"]\n",
        folder.display()
    );
    std::fs::write(main_file(folder), head + text).unwrap();
}

pub(crate) fn main_file(folder: &Path) -> PathBuf {
    folder.join("tidings.toml")
}

pub(crate) fn tcp(addresses: &[ListenAddress]) -> String {
    addresses.iter().find(|a| matches!(a, ListenAddress::Tcp(_))).unwrap().to_string()
}

/// [`FILES`] without the client `id`, and with `more`.
pub(crate) fn without_client(id: &str, more: &str) -> String {
    let clients = FILES.split("[[").filter(|entry| !entry.contains(&format!("id = \"{id}\"")));
    clients.collect::<Vec<_>>().join("[[") + more
}
