//! Every key of the sample: what it sets, and what is said when it is wrong.

use std::path::PathBuf;
use std::time::Duration;

use tidings::api::management::{ManagementScopes, ManagementSettings};
use tidings::api::polling::UnknownMembers;
use tidings::api::recipients::RecipientsScopes;
use tidings::api::registrations::{Proof, RegistrationsSettings};
use tidings::api::trigger::{TriggerSettings, UnknownRecipient};
use tidings::auth::issuers::{Algorithm, ClaimNames, IssuerSettings, KeySource};
use tidings::base::audit::Output;
use tidings::base::clock::Timestamp;
use tidings::base::masking::Personal;
use tidings::base::rate::Rate;
use tidings::base::secret::ExposeSecret as _;
use tidings::channel::email::{EmailSettings, Security};
use tidings::channel::webhook::{Answers, WebhookSettings};
use tidings::config::{Problems, Severity, Sources, load};
use tidings::engine::ChannelSettings;
use tidings::http::settings::ListenAddress;
use tidings::model::address::Address;
use tidings::model::filter::{Clause, Filter};
use tidings::model::holder::{customer_subscription, group_subscription};
use tidings::model::notification::EndpointKind;
use tidings::model::profile::{Hours, Profile};
use tidings::model::subscription::{ContractName, Origin, SubscriptionDraft};
use tidings::model::target::{Shape, Target};

use crate::site::{SAMPLE, Site, at};

#[test]
fn every_key_sets_what_it_says() {
    let loaded = Site::new(SAMPLE).loaded();
    let settings = loaded.settings;
    assert_eq!(settings.data_dir, PathBuf::from("data"));
    assert_eq!(settings.public_url, "https://tidings.example.com/base");
    assert_eq!(settings.server.listen[1], ListenAddress::parse("0.0.0.0:8421").unwrap());
    assert_eq!((settings.server.max_body, settings.server.max_connections), (512 << 10, 100));
    assert_eq!(settings.server.header_timeout, Duration::from_secs(5));
    assert_eq!(settings.server.body_timeout, Duration::from_secs(90));
    assert_eq!(settings.admin.listen, [ListenAddress::parse("unix:admin.sock").unwrap()]);
    let polling = settings.polling.unwrap();
    assert_eq!((polling.mount.as_str(), polling.page_size, polling.max_wait.as_secs()), ("/poll", 50, 30));
    let events = settings.events.unwrap();
    assert_eq!((events.mount.as_str(), events.max_batch, events.max_event), ("/publish", 4 << 20, 512 << 10));
    check_registrations(settings.registrations.as_ref().unwrap());
    check_management(settings.management.as_ref().unwrap());
    let recipients = settings.recipients.unwrap();
    assert_eq!(recipients.mount, "/recipients");
    assert_eq!(recipients.scopes, RecipientsScopes { read: Some("r:read"), write: Some("r:write") });
    check_trigger(settings.trigger.as_ref().unwrap());
    assert_eq!(settings.root.token_paths, ["/oauth2/token", "/login"]);
    assert_eq!((settings.auth.audience.as_str(), settings.auth.token_lifetime.as_secs()), ("site", 600));
    assert_eq!(settings.auth.issuer, settings.public_url);
    check_issuer(&settings.issuers[0]);
    check_email(settings.email.as_ref().unwrap());
    let delivery = settings.engine.delivery.email.as_ref().unwrap();
    assert_eq!((delivery.in_flight, delivery.in_flight_each), (16, 2));
    assert_eq!(delivery.schedule, [Duration::from_mins(2), Duration::from_mins(10)]);
    assert!(settings.trust.system && settings.trust.certificates.is_empty());
    assert!(settings.engine.knows(&"partner-a".into()) && !settings.engine.knows(&"stranger".into()));
    let client = &settings.auth.clients[0];
    assert!(client.secrets[0].hash.matches(b"hunter2-hunter2"));
    assert_eq!(client.affiliation.owners().to_audience(), "1001,1002,acme,s-1");
    assert_eq!(client.affiliation.organisation.as_deref(), Some("org-1"));
    assert!(client.acts_for_any.iter().eq(["registrations"]));
    let profile = &settings.engine.profiles[&client.id];
    assert_eq!((profile.egress.as_deref(), profile.integrator_id.as_deref()), (Some("plant"), Some("i-1")));
    assert_eq!(profile.integrator_type.as_deref(), Some("BROKER"));
    assert_eq!(settings.webhooks.api_keys[&client.id].expose_secret(), "hunter2-key");
    let instant = |text| Timestamp::parse_rfc3339(text).unwrap();
    assert_eq!(client.secrets[0].not_after, Some(instant("9000-01-01T00:00:00Z")));
    assert_eq!(client.tokens_not_before, Some(instant("2026-01-01T00:00:00Z")));
    assert_eq!((client.certificates[0][0], client.certificates[0][31]), (255, 1));
    let terms = &client.terms;
    let from = terms.allowed_from.as_ref().unwrap();
    assert!(
        from.unix && from.holds(Some("10.9.9.9".parse().unwrap())) && !from.holds(Some("11.0.0.1".parse().unwrap()))
    );
    assert_eq!((terms.enabled, terms.request_rate), (true, None));
    let publish = terms.publish.as_ref().unwrap();
    assert_eq!((&*publish.types[0], &*publish.sources[0], &*publish.audience[0]), ("30*", "/crm", "1001"));
    let key = &settings.auth.api_keys[0];
    assert_eq!((key.id.as_str(), key.keys[0].public.as_str()), ("billing", "billing1"));
    assert_eq!(key.terms.request_rate, Rate::parse("50/s"));
    assert!(key.scopes.contains("events:publish"));
    assert_eq!(key.organisation.as_deref(), Some("org-1"));
    let limits = settings.auth.limits;
    assert_eq!((limits.request_rate, limits.token_rate), (Rate::parse("50/s"), None));
    assert_eq!(Some(limits.auth_failures), Rate::parse("5/min"));
    assert!(settings.root.certificates);
    assert_eq!(settings.engine.owners[&client.id], client.affiliation.owners());
    let catalogue = settings.engine.catalogue;
    assert!(catalogue.closed && catalogue.audience_required && !catalogue.get("301").unwrap().audience_required);
    let event_type = catalogue.get("301").unwrap();
    assert_eq!((&event_type.mandatory[..], event_type.urgent), (&[EndpointKind::Webhook][..], true));
    assert_eq!(event_type.attributes, ["status"]);
    assert_eq!(catalogue.ttl("301", EndpointKind::Poll), Duration::from_secs(500));
    assert_eq!(catalogue.ttl("302", EndpointKind::Poll), Duration::from_hours(12));
    assert!(!catalogue.is_open_to("301", ContractName::Polling, EndpointKind::Email));
    assert_eq!((settings.store.queue_depth, settings.store.queue_total), (10, 20));
    assert_eq!((settings.store.history, settings.store.history_max), (Duration::ZERO, 1 << 30));
    assert_eq!((settings.store.duplicate_window.as_secs(), settings.store.duplicate_events), (3600, 5000));
    assert_eq!((settings.store.disk_reserve, settings.store.clock_leap.as_secs()), (1 << 30, 60));
    assert!(settings.store.two_phase_commit);
    check_webhooks(&settings.webhooks, &settings.engine.delivery.webhooks);
    check_declared(&settings.engine.declared);
    assert_eq!(settings.audit, Output::File("/var/log/tidings/audit.log".into()));
    assert_eq!((settings.log.level, settings.log.personal), (tracing::Level::DEBUG, Personal::Show));
    // Others are served: a secret that stands in the file is still not to be printed.
    assert!(settings.sample.is_none());
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "email.relay",
            "email.password.value",
            "email.dkim.key.value",
            "clients[0].secret.value",
            "clients[0].webhook_api_key.value",
            "subscriptions[1].webhook.password.value"
        ]
    );
}

fn check_declared(declared: &[SubscriptionDraft]) {
    let [polled, activations, recipients, customer] = declared else { panic!("{declared:?}") };
    assert!(declared.iter().all(|draft| draft.created_by == "configuration" && draft.origin == Origin::Configuration));
    assert_eq!((polled.id.as_str(), &polled.endpoints[..]), ("crm-accounts", &[Target::Poll][..]));
    assert_eq!(
        (activations.contract, &activations.holders[..]),
        (ContractName::Management, &["1001", "1002"].map(str::to_owned)[..])
    );
    assert_eq!(activations.organisation.as_deref(), Some("org-1"));
    let [Target::Webhook(webhook), contact] = &activations.endpoints[..] else { panic!("{activations:?}") };
    let basic = webhook.basic.as_ref().unwrap();
    assert_eq!((basic.username.as_str(), basic.password.as_str()), ("tidings", "hunter2-hook"));
    assert_eq!((webhook.shape, webhook.retries, contact.takes_events()), (Shape::Management, false, false));
    let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let clause = Clause { all: text(&[("status", "Success")]), not: Some(text(&[("opticalStatus", "Good")])) };
    assert_eq!(activations.filter, Some(Filter { mine: true, any: vec![clause] }));
    // Chatham's winter: 12:45 ahead.
    assert_eq!(activations.expires_at, Timestamp::parse_rfc3339("8000-08-24T11:15:00Z"));
    assert_eq!((recipients.contract, &recipients.holders[..]), (ContractName::Recipients, &["acme".to_owned()][..]));
    assert_eq!(recipients.id, group_subscription("acme", &"order_confirm".into()));
    let places: Vec<_> = recipients.endpoints.iter().map(Target::place).collect();
    assert_eq!(places, ["orders@example.com", "admin@example.com"]);
    assert_eq!((&customer.id, customer.client_id.as_str()), (&customer_subscription(Some("org-1"), "c-1"), "crm"));
    assert_eq!((customer.organisation.as_deref(), customer.event_types.len()), (Some("org-1"), 0));
    assert_eq!(customer.endpoints.len(), 2);
    let profile = Profile {
        keys: text(&[("accountId", "42")]),
        channels: vec![EndpointKind::Email, EndpointKind::Poll],
        locale: Some("fr-CA".to_owned()),
        time_zone: Some("America/Toronto".to_owned()),
        hours: Some(Hours { from: 1200, to: 510 }),
    };
    assert_eq!(customer.profile, Some(profile));
}

fn check_registrations(registrations: &RegistrationsSettings) {
    assert_eq!((registrations.mount.as_str(), registrations.created_status), ("/registrations", 200));
    assert!(registrations.show_secret && registrations.allow_http);
    assert_eq!(registrations.secret_lifetime, Duration::from_hours(90 * 24));
    assert_eq!(registrations.rotation_overlap, Duration::from_hours(1));
    assert_eq!(registrations.proof, Proof::Header("X-Secret".to_owned()));
    assert_eq!(registrations.unknown_members, UnknownMembers::Refuse);
    assert_eq!(registrations.public_url, "https://tidings.example.com/base");
    assert_eq!(registrations.token_path, "/oauth2/token");
}

fn check_management(management: &ManagementSettings) {
    assert_eq!((management.mount.as_str(), management.replay_max), ("/management", 500));
    assert_eq!(management.time_zone.iana_name(), Some("Pacific/Chatham"));
    assert_eq!(management.scopes, ManagementScopes { read: "m:read", write: "m:write", replay: "m:replay" });
    assert_eq!(management.unknown_members, UnknownMembers::Refuse);
}

fn check_trigger(trigger: &TriggerSettings) {
    assert_eq!((trigger.mount.as_str(), &trigger.aliases[..]), ("/trigger", &["/notify".to_owned()][..]));
    assert_eq!(trigger.recipient_keys, ["accountId", "msisdn"]);
    assert_eq!((trigger.unknown_recipient, trigger.repeat_window.as_secs()), (UnknownRecipient::Accept, 300));
    assert_eq!(trigger.unknown_members, UnknownMembers::Refuse);
}

fn check_email(email: &EmailSettings) {
    assert_eq!((email.from.name.as_deref(), email.from.address.as_str()), (Some("Tidings"), "tidings@example.com"));
    assert_eq!(email.envelope_from.as_str(), "bounces@example.com");
    let relay = &email.relay;
    assert_eq!((relay.address.to_string().as_str(), relay.security), ("relay.example.com:587", Security::None));
    let login = relay.login.as_ref().unwrap();
    assert_eq!((login.username.as_str(), login.password.expose_secret()), ("tidings", "hunter2-relay"));
    assert_eq!((relay.helo.as_deref(), relay.timeout.as_secs()), (Some("site.example.com"), 30));
    assert_eq!(relay.connections, 2);
    assert_eq!(email.default_locale, "fr-CA");
    let allowed = |text: &str| email.allowed_recipients.check(&Address::parse(text).unwrap()).is_ok();
    assert!(allowed("a@example.com") && allowed("a@x.example.org") && allowed("jané@example.net"));
    assert!(!allowed("a@example.org") && !allowed("jane@example.net"));
    assert_eq!(email.rate, Rate::parse("10/s"));
    assert_eq!(email.list_unsubscribe, ["mailto:unsubscribe@example.com", "https://example.com/u"]);
    assert_eq!(email.suppress_for, Duration::from_hours(240));
    assert_eq!(email.dkim.as_ref().unwrap().domain(), "mail.example.com");
    assert!(email.templates.has("account") && !email.templates.has("_page"));
    assert_eq!(email.type_names["301"], "create account");
    let shown = format!("{email:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("MC4CAQ"), "{shown}");
}

fn check_webhooks(webhooks: &WebhookSettings, delivery: &ChannelSettings) {
    assert_eq!((webhooks.timeout.as_secs(), webhooks.connect_timeout.as_secs()), (10, 2));
    assert!(webhooks.final_statuses.iter().eq(&[400]));
    assert_eq!(webhooks.idle_connections, 10);
    let schedule = vec![Duration::from_secs(1), Duration::from_mins(1)];
    assert_eq!(*delivery, ChannelSettings { schedule, in_flight: 100, in_flight_each: 10 });
    let [plant, built_in] = &webhooks.policies[..] else { panic!("{:?}", webhooks.policies) };
    let allow: Vec<_> = plant.egress.allow.iter().map(ToString::to_string).collect();
    assert_eq!(
        (plant.egress.name.as_str(), allow),
        ("plant", vec!["10.0.0.0/8:443".to_owned(), "*.example.com:443".to_owned()])
    );
    assert!(plant.egress.proxy.is_some() && plant.egress.trust.is_none() && plant.egress.identity.is_none());
    assert_eq!((plant.rate, plant.answers), (Rate::parse("50/s"), Answers::Dropped));
    assert_eq!((built_in.egress.name.as_str(), built_in.egress.allow.len()), ("default", 0));
}

fn check_issuer(issuer: &IssuerSettings) {
    assert_eq!(issuer.issuer, "https://login.example.com/");
    assert!(issuer.audiences.iter().eq(["elsewhere", "site"]));
    let KeySource::Url { url, refresh } = &issuer.keys else { panic!("{:?}", issuer.keys) };
    assert_eq!((url.to_string().as_str(), refresh.as_secs()), ("https://login.example.com/jwks", 300));
    assert!(issuer.client_ids.stand_for("partner-a") && !issuer.client_ids.stand_for("crm"));
    assert!(issuer.scopes.stand_for("notification:consent:consumer") && !issuer.scopes.stand_for("events:publish"));
    assert_eq!(issuer.algorithms, [Algorithm::Es384]);
    assert!(issuer.token_types.iter().eq(["at+jwt", "jwt"]));
    assert_eq!(issuer.clock_skew, Duration::from_secs(30));
    assert!(issuer.contracts.as_ref().unwrap().iter().eq(["polling"]));
    assert!(issuer.owners.as_ref().unwrap().stand_for("1001"));
    let text = |text: &str| Some(text.to_owned());
    let claims = ClaimNames {
        client_id: "azp".to_owned(),
        scope: "scp".to_owned(),
        parties: text("partyId"),
        subscriber: text("sub"),
        group: text("groups"),
        organisation: text("org"),
    };
    assert_eq!(issuer.claims, claims);
}

#[test]
fn nothing_but_a_file_is_needed() {
    let settings = Site::new("").loaded().settings;
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/tidings"));
    assert_eq!(settings.public_url, "http://127.0.0.1:8420");
    assert_eq!(settings.polling.unwrap().mount, "/notification/v1");
    assert!(settings.registrations.is_none() && settings.management.is_none());
    assert!(settings.recipients.is_none() && settings.trigger.is_none());
    assert_eq!((settings.audit, settings.log.personal), (Output::Journal, Personal::Mask));
    assert!(settings.sample.is_none());
}

#[test]
fn the_shipped_quickstart_is_good() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/quickstart.toml");
    let loaded = load(&Sources::new(file)).unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(warnings, ["clients[0].secret.value"]);
    let sample = loaded.settings.sample.unwrap();
    assert_eq!((sample.client_id.as_str(), sample.subscription.as_str()), ("quickstart", "quickstart"));
}

#[test]
fn a_secret_is_shown_only_where_nobody_else_is_served() {
    let site = |server: &str| {
        format!(
            r#"{server}
[[clients]]
id = "a"
secret = {{ value = "hunter2" }}
scopes = ["events:publish", "notification:consent:consumer"]
[[subscriptions]]
id = "s"
client_id = "a"
event_types = ["1"]
poll = {{}}
"#
        )
    };
    let shown = |server: &str| Site::new(&site(server)).loaded().settings.sample.map(|sample| sample.secret);
    for local in [
        "",
        "server.public_url = \"http://localhost:8420\"",
        "server.public_url = \"http://[::1]:1/x\"",
        "server.listen = [\"unix:a.sock\"]",
    ] {
        assert_eq!(shown(local).as_deref(), Some("hunter2"), "{local}");
    }
    for open in [
        "server.public_url = \"https://tidings.example.com\"",
        "server.listen = [\"127.0.0.1:1\", \"0.0.0.0:1\"]\nserver.plaintext = \"behind-proxy\"\nserver.public_url = \"http://127.0.0.1:1\"",
    ] {
        assert_eq!(shown(open), None, "{open}");
    }
}

#[test]
fn an_audit_trail_goes_to_the_journal_or_to_a_path() {
    let output = |text: &str| Site::new(&format!("audit.output = \"{text}\"")).loaded().settings.audit;
    assert_eq!(output("journal"), Output::Journal);
    assert_eq!(output("./audit.log"), Output::File("./audit.log".into()));
    for wrong in ["jurnal", "audit.log", "/var/log/"] {
        let shown = Site::new(&format!("audit.output = \"{wrong}\"")).shown();
        assert!(shown[0].contains("\"journal\", or the path of a file"), "{shown:?}");
    }
}

/// The lines of the sample that set a key: line number from 1, key, value.
fn key_lines() -> Vec<(usize, &'static str, &'static str)> {
    let lines = SAMPLE.lines().enumerate();
    lines.filter_map(|(n, line)| line.split_once(" = ").map(|(key, value)| (n + 1, key, value))).collect()
}

/// The sample with line `number` replaced.
fn sample_with(number: usize, line: &str) -> Site {
    let lines = SAMPLE.lines().enumerate().map(|(n, old)| if n + 1 == number { line } else { old });
    Site::new(&lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_misspelt_key_is_refused_where_it_stands() {
    for (number, key, value) in key_lines() {
        let problems = sample_with(number, &format!("{key}z = {value}")).problems();
        let unknown = problems.iter().find(|p| p.message.starts_with("unknown key")).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(at(unknown), (number, 1), "{unknown}");
        assert_eq!(unknown.suggestion.as_deref(), Some(format!("did you mean {key}?").as_str()));
        assert!(unknown.key.ends_with(&format!("{key}z")), "{unknown}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_where_it_stands() {
    for (number, key, _) in key_lines() {
        let wrong = ["2027-01-01", "1.5", "[[]]", "{ x = { y = 1 } }", "18446744073709551616", "-1", "\"\\u0000\""];
        for value in wrong {
            let problems = sample_with(number, &format!("{key} = {value}")).problems();
            assert!(problems.iter().any(|p| at(p).0 == number), "{key} = {value}: {problems:?}");
        }
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused_where_it_stands() {
    for (number, key, value) in key_lines() {
        let problems = sample_with(number, &format!("{key} = {value}\n{key} = {value}")).problems();
        assert_eq!((at(&problems[0]), problems.len()), ((number + 1, 1), 1), "{problems:?}");
        assert!(problems[0].message.contains("duplicate key"), "{problems:?}");
    }
}

#[test]
fn a_removed_key_has_a_default_or_is_asked_for() {
    const ASKED_FOR: [(&str, &[&str]); 22] = [
        ("[api.registrations]", &["proof_header"]),
        ("[server]", &["public_url", "plaintext"]),
        ("[[auth.issuers]]", &["issuer", "jwks", "client_ids", "scopes"]),
        ("[email]", &["from", "relay", "username"]),
        ("[email.password]", &["value"]),
        ("[email.dkim]", &["domain", "selector"]),
        ("[email.dkim.key]", &["value"]),
        ("[[webhooks.egress]]", &["name"]),
        ("[[clients]]", &["id"]),
        ("[clients.secret]", &["value"]),
        ("[clients.webhook_api_key]", &["value"]),
        ("[[api_keys]]", &["id", "hash", "scopes"]),
        ("[[event_types]]", &["id"]),
        ("[[subscriptions]]", &["id", "client_id", "event_types", "contact_emails"]),
        ("[subscriptions.webhook]", &["url", "username"]),
        ("[subscriptions.webhook.password]", &["value"]),
        ("[subscriptions.filter.attributes.__not__]", &["opticalStatus"]),
        ("[[recipients]]", &["group"]),
        ("[recipients.addresses]", &["order_confirm"]),
        ("[[customers]]", &["id", "channels"]),
        ("[customers.keys]", &["accountId"]),
        ("[customers.poll]", &["client_id"]),
    ];
    // Other entries go by these.
    const NEEDED_ELSEWHERE: [(&str, &str); 4] = [
        ("contract", "\"management\""),
        ("parties", "[\"1001\", \"1002\"]"),
        ("contracts", "[\"recipients\"]"),
        ("attributes", "[\"status\", \"opticalStatus\"]"),
    ];
    for (number, key, value) in key_lines() {
        let elsewhere = NEEDED_ELSEWHERE.contains(&(key, value));
        let header = SAMPLE.lines().take(number).enumerate().filter(|(_, line)| line.starts_with('[')).last();
        let asked_for = elsewhere
            || ASKED_FOR
                .iter()
                .any(|(section, keys)| header.is_some_and(|(_, line)| line == *section) && keys.contains(&key));
        let header = header.map(|(n, _)| n + 1);
        match load(&sample_with(number, "").sources) {
            Ok(_) => assert!(!asked_for, "{key}"),
            Err(Problems { problems, .. }) => {
                assert!(asked_for, "{key}: {problems:?}");
                let mut errors = problems.iter().filter(|p| p.severity == Severity::Error);
                let told = errors.find(|p| p.to_string().contains(key)).unwrap_or_else(|| panic!("{key}"));
                // What an open address needs is said of the address.
                assert!(elsewhere || header == Some(at(told).0) || key == "plaintext" && at(told).0 == 3, "{told}");
            }
        }
    }
}
