//! A directory with configuration files, and the sample that has every key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tidings::config::{Loaded, Place, Problem, Sources, load};

/// Every key of this release, each on a line of its own, but those of TLS, which name files (`tls.rs`).
pub(crate) const SAMPLE: &str = r#"data_dir = "data"
[server]
listen = ["127.0.0.1:8420", "0.0.0.0:8421"]
public_url = "https://tidings.example.com/base"
plaintext = "behind-proxy"
max_body = "512KiB"
max_connections = 100
header_timeout = "5s"
body_timeout = "1m30s"
[admin]
listen = ["unix:admin.sock"]
[api.polling]
enabled = true
mount = "/poll"
page_size = 50
max_wait = "30s"
unknown_members = "refuse"
[api.events]
enabled = true
mount = "/publish"
max_batch = "4MiB"
[api.registrations]
enabled = true
mount = "/registrations"
created_status = 200
show_secret = true
allow_http = true
secret_lifetime = "90d"
rotation_overlap = "1h"
proof = "header"
proof_header = "X-Secret"
unknown_members = "refuse"
[api.management]
enabled = true
mount = "/management"
time_zone = "Pacific/Chatham"
replay_max = 500
unknown_members = "refuse"
[api.management.scopes]
read = "m:read"
write = "m:write"
replay = "m:replay"
[api.recipients]
enabled = true
mount = "/recipients"
group_claim = "teams"
[api.recipients.scopes]
read = "r:read"
write = "r:write"
[api.trigger]
enabled = true
mount = "/trigger"
aliases = ["/notify"]
recipient_keys = ["accountId", "msisdn"]
unknown_recipient = "accept"
repeat_window = "5m"
unknown_members = "refuse"
[auth]
audience = "site"
token_lifetime = "10m"
token_paths = ["/oauth2/token", "/login"]
[[auth.issuers]]
issuer = "https://login.example.com/"
audience = ["site", "elsewhere"]
jwks = "https://login.example.com/jwks"
jwks_refresh = "5m"
client_ids = ["partner-*"]
scopes = ["notification:consent:*"]
algorithms = ["ES384"]
token_types = ["JWT", "application/at+jwt"]
clock_skew = "30s"
contracts = ["polling"]
owners = ["10*"]
[auth.issuers.claims]
client_id = "azp"
scope = "scp"
parties = "partyId"
subscriber = "sub"
group = "groups"
organisation = "org"
[trust]
ca = ["system"]
[events]
catalogue = "closed"
history = "0s"
history_max = "1GiB"
duplicate_window = "1h"
duplicate_events = 5000
audience = "required"
time_zone = "America/Toronto"
[events.ttl]
poll = "12h"
webhook = "2d"
email = "3d"
[email]
from = "Tidings <tidings@example.com>"
envelope_from = "bounces@example.com"
relay = "smtp://relay.example.com:587"
starttls = "off"
username = "tidings"
helo = "site.example.com"
timeout = "30s"
smtputf8 = true
templates = "config/templates"
default_locale = "fr-CA"
allowed_recipients = ["example.com", "*.example.org", "jané@example.net"]
schedule = ["2m", "10m"]
rate = "10/s"
list_unsubscribe = ["mailto:unsubscribe@example.com", "https://example.com/u"]
suppress_for = "10d"
in_flight = 16
in_flight_each = 2
[email.password]
value = "hunter2-relay"
[email.dkim]
domain = "mail.example.com"
selector = "2026"
[email.dkim.key]
value = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----"
[webhooks]
timeout = "10s"
connect_timeout = "2s"
schedule = ["1s", "1m"]
final_statuses = [400]
in_flight = 100
in_flight_each = 10
[[webhooks.egress]]
name = "plant"
allow = ["10.0.0.0/8:443", "*.example.com:443"]
proxy = "http://proxy.example.com:3128"
rate = "50/s"
show_responses = false
[limits]
queue_depth = 10
queue_total = 20
disk_reserve = "1GiB"
clock_leap = "1m"
request_rate = "50/s"
token_rate = "unlimited"
auth_failures = "5/min"
[store]
two_phase_commit = true
[audit]
output = "/var/log/tidings/audit.log"
[log]
format = "json"
level = "debug"
personal_data = "show"
[[clients]]
id = "crm"
scopes = ["events:publish", "notification:consent:consumer"]
parties = ["1001", "1002"]
subscriber = "s-1"
group = "acme"
organisation = "org-1"
integrator_id = "i-1"
integrator_type = "BROKER"
acts_for_any = ["registrations"]
egress = "plant"
enabled = true
allowed_from = ["10.0.0.0/8", "unix"]
request_rate = "unlimited"
tokens_not_before = "2026-01-01T00:00:00Z"
certificate = "FF:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01"
[clients.secret]
value = "hunter2-hunter2"
not_after = "9000-01-01T00:00:00Z"
[clients.webhook_api_key]
value = "hunter2-key"
[clients.publish]
types = ["30*"]
sources = ["/crm"]
audience = ["1001"]
[[api_keys]]
id = "billing"
hash = "sha256:billing1:00000000000000000000000000000000000000000000000000000000000000ff"
scopes = ["events:publish"]
organisation = "org-1"
[[event_types]]
id = "301"
name = "create account"
category = "IDENTITY_LIFECYCLE"
channels = ["poll", "webhook"]
contracts = ["polling", "registrations"]
audience = "optional"
mandatory = ["webhook"]
attributes = ["status"]
urgent = true
[event_types.ttl]
poll = "500s"
webhook = "1d"
email = "1d"
[[event_types]]
id = "order_confirm"
contracts = ["recipients"]
[[event_types]]
id = "ONTActivation"
attributes = ["status", "opticalStatus"]
[[subscriptions]]
id = "crm-accounts"
client_id = "crm"
event_types = ["301"]
contract = "polling"
[subscriptions.poll]
[[subscriptions]]
id = "crm-activations"
client_id = "crm"
event_types = ["ONTActivation"]
contract = "management"
contact_emails = ["noc@example.com"]
expires_on = "8000-08-24"
[subscriptions.webhook]
url = "https://hook.example.com/a"
egress = "plant"
username = "tidings"
error_strategy = "ignore"
[subscriptions.webhook.password]
value = "hunter2-hook"
[subscriptions.filter]
target = "my"
[[subscriptions.filter.attributes]]
status = "Success"
[subscriptions.filter.attributes.__not__]
opticalStatus = "Good"
[[recipients]]
group = "acme"
[recipients.addresses]
order_confirm = ["orders@Example.com", "admin@example.com"]
[[customers]]
id = "c-1"
channels = ["email", "poll"]
email = "jane@example.com"
locale = "fr-CA"
time_zone = "America/Toronto"
hours = ["20:00", "08:30"]
organisation = "org-1"
[customers.keys]
accountId = "42"
[customers.poll]
client_id = "crm"
"#;

/// A directory with configuration files in it.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    pub(crate) sources: Sources,
}

impl Site {
    pub(crate) fn new(main: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources::new(directory.path().join("tidings.toml"));
        Self { directory, sources }.with("tidings.toml", main)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn loaded(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        load(&self.sources).expect_err("there is something wrong with it").problems
    }

    /// The problems as they are shown, without the directory.
    pub(crate) fn shown(&self) -> Vec<String> {
        let directory = format!("{}/", self.directory.path().display());
        self.problems().iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
    }
}

/// A main file with a client besides `more`.
pub(crate) fn with_client(more: &str) -> String {
    format!("[[clients]]\nid = \"crm\"\nsecret = {{ env = \"CRM\" }}\n{more}")
}

pub(crate) fn only(shown: &[String]) -> &str {
    assert_eq!(shown.len(), 1, "{shown:#?}");
    &shown[0]
}

pub(crate) fn at(problem: &Problem) -> (usize, usize) {
    match problem.place {
        Place::File { line: Some(line), column: Some(column), .. } => (line, column),
        _ => panic!("{problem} has no line"),
    }
}
