//! `[webhooks]` and `[[webhooks.egress]]`: bounds, what needs what, and webhooks that can never be reached.

use std::time::Duration;

use tidings::base::clock::Timestamp;
use tidings::channel::webhook::{Answers, WebhookSettings};
use tidings::config::{Problem, Severity};

use crate::pki::Authority;
use crate::site::{Site, at, only, with_client};

/// A directory with an authority and what it has issued, and a main file with the policy `plant` that may name them as
/// `@cert`, `@key`, `@ca`, `@other`.
fn site(lines: &str) -> Site {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let identity = authority.issue_for("client", 2026, 2028);
    let mut site = Site::new("")
        .with("cert.pem", &identity.certificate)
        .with("key.pem", &identity.key)
        .with("ca.pem", authority.pem())
        .with("other.pem", other.issue("other").key)
        .with("password", "s3cr3t\n");
    let files = ["cert.pem", "key.pem", "ca.pem", "other.pem", "password"];
    let lines = files.iter().fold(lines.to_owned(), |text, file| {
        text.replace(&format!("@{}", file.trim_end_matches(".pem")), &format!("\"{}\"", site.path(file).display()))
    });
    site.sources.now = Timestamp::parse_rfc3339("2027-01-01T00:00:00Z").unwrap();
    site.with("tidings.toml", format!("[[webhooks.egress]]\nname = \"plant\"\n{lines}\n"))
}

fn webhooks(site: &Site) -> WebhookSettings {
    site.loaded().settings.webhooks
}

#[test]
fn the_defaults_are_those_of_the_channel() {
    let (read, own) = (webhooks(&Site::new("")), WebhookSettings::default());
    assert_eq!((read.timeout, read.connect_timeout), (own.timeout, own.connect_timeout));
    assert_eq!((read.final_statuses, read.idle_connections), (own.final_statuses, own.idle_connections));
    assert_eq!(read.policies.len(), 1, "the built-in one");
    let short = webhooks(&Site::new("[webhooks]\ntimeout = \"2s\""));
    assert_eq!(short.connect_timeout, Duration::from_secs(2));
}

#[test]
fn values_have_bounds() {
    for (line, message) in [
        ("timeout = \"999ms\"", "webhooks.timeout: must be from 1s to 5m"),
        ("timeout = \"301s\"", "webhooks.timeout: must be from 1s to 5m"),
        ("connect_timeout = \"99ms\"", "webhooks.connect_timeout: must be from 100ms to 5m"),
        ("connect_timeout = \"16s\"", "webhooks.connect_timeout: is longer than webhooks.timeout"),
        ("final_statuses = [500]", "webhooks.final_statuses[0]: must be from 400 to 499"),
        ("final_statuses = [400, 410]", "webhooks.final_statuses[1]: 410 says that the endpoint is gone"),
        ("final_statuses = [400, 400]", "is there twice"),
        ("in_flight_each = 0", "webhooks.in_flight_each: must be from 1 to 1000"),
        ("schedule = [\"31d\"]", "webhooks.schedule[0]: must be from 1s to 30d"),
    ] {
        let shown = Site::new(&format!("[webhooks]\n{line}")).shown();
        assert!(only(&shown).starts_with("tidings.toml:2:") && shown[0].contains(message), "{shown:?}");
    }
    Site::new("[webhooks]\nfinal_statuses = []\nschedule = []\ntimeout = \"1s\"\nconnect_timeout = \"1s\"").loaded();
}

#[test]
fn entries_of_a_policy_are_parsed() {
    for good in ["10.0.0.0/8:443", "[fd00::/8]:443", "*.example.com:443", "public:443", "127.0.0.1:1", "localhost:80"] {
        let policies = webhooks(&site(&format!("allow = [{good:?}]"))).policies;
        assert_eq!(policies[0].egress.allow.len(), 1, "{good}");
    }
    for (bad, message) in [
        ("10.0.0.0/8", "must end with a port"),
        ("10.0.0.1/8:443", "write 10.0.0.0/8"),
        ("fd00::/8:443", "in brackets"),
        ("*:443", "must name a network"),
        ("public:0", "must end with a port"),
        ("[64:ff9b::/96]:443", "stands for IPv4 addresses"),
        ("127.0.0.0/8:80", "one by one, such as \"127.0.0.1:80\""),
    ] {
        let shown = site(&format!("allow = [\"public:443\", {bad:?}]")).shown();
        let told = only(&shown);
        assert!(
            told.starts_with("tidings.toml:3:24: webhooks.egress[0].allow[1]: ") && told.contains(message),
            "{told}"
        );
        assert!(told.contains(&format!("{bad:?}")), "{told}");
    }
    let twice = site("allow = [\"PUBLIC.example:1\", \"public.example:1\"]").shown();
    assert!(only(&twice).contains("is there twice"), "{twice:?}");
}

#[test]
fn a_policy_may_have_authorities_a_certificate_and_a_proxy() {
    let all = "ca = @ca\nclient_certificate = @cert\nclient_key = { file = @key }\nrate = \"5/s\"\nshow_responses = true\n\
               proxy = \"http://10.0.0.1:3128\"\nproxy_username = \"tidings\"\nproxy_password = { file = @password }";
    let loaded = site(all).loaded();
    assert_eq!(loaded.warnings, []);
    let policy = &loaded.settings.webhooks.policies[0];
    let trust = policy.egress.trust.as_ref().unwrap();
    assert_eq!((trust.system, trust.certificates.len()), (false, 1));
    assert!(policy.egress.identity.is_some() && policy.egress.proxy.is_some());
    assert_eq!(policy.answers, Answers::Shown);
    let shown = format!("{policy:?}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("PRIVATE"), "{shown}");
    let both = webhooks(&site("ca = [\"system\", @ca]")).policies[0].egress.trust.clone().unwrap();
    assert_eq!((both.system, both.certificates.len()), (true, 1));
    assert_eq!(webhooks(&site("")).policies[0].answers, Answers::Kept);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (lines, place, message) in [
        ("ca = @key", "3:6", "has no certificate in PEM form"),
        ("ca = []", "3:6", "must not be empty"),
        ("client_certificate = @cert", "1:1", "has client_certificate, but no client_key"),
        ("client_key = { file = @key }", "1:1", "has client_key, but no client_certificate"),
        ("client_certificate = @cert\nclient_key = { file = @other }", "4:14", "is not the private key of the first"),
        ("client_certificate = @cert\nclient_key = { file = @cert }", "4:14", "has no private key in PEM form"),
        ("client_certificate = @key\nclient_key = { file = @key }", "3:22", "has no certificate in PEM form"),
        ("client_certificate = \"/nowhere\"\nclient_key = { file = @key }", "3:22", "/nowhere cannot be read"),
        ("proxy = \"https://p:1\"", "3:9", "must be http://"),
        ("proxy = \"http://u:s3cr3t@p:1\"", "3:9", "must have no user name"),
        ("proxy = \"http://p:1\"\nproxy_username = \"u\"", "1:1", "needs proxy, proxy_username and proxy_password"),
        ("proxy_username = \"u\"\nproxy_password = { file = @password }", "1:1", "needs proxy, proxy_username"),
        ("rate = \"unlimited\"", "3:8", "must be a rate"),
        ("show_responses = \"yes\"", "3:18", "must be true or false"),
        ("alow = []", "3:1", "did you mean allow?"),
        ("[[webhooks.egress]]\nname = \"plant\"", "4:8", "the id \"plant\" is declared twice"),
    ] {
        let shown = site(lines).shown();
        let told = only(&shown);
        assert!(told.starts_with(&format!("tidings.toml:{place}: ")) && told.contains(message), "{lines}: {told}");
        assert!(!told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn a_certificate_that_ends_is_warned_of() {
    let warnings = |now: &str| {
        let mut site = site("client_certificate = @cert\nclient_key = { file = @key }");
        site.sources.now = Timestamp::parse_rfc3339(now).unwrap();
        site.loaded().warnings
    };
    assert_eq!(warnings("2027-12-01T00:00:00Z"), []);
    for (now, message) in [("2027-12-15T00:00:00Z", "expires soon"), ("2028-02-01T00:00:00Z", "has expired")] {
        let warnings = warnings(now);
        assert!(warnings.len() == 1 && warnings[0].message.contains(message), "{warnings:?}");
    }
}

/// What is said of a webhook with this URL and these lines in its table.
fn told_of(policies: &str, url: &str, more: &str) -> Vec<Problem> {
    let webhook = format!("webhook = {{ url = {url:?}, asymmetric = true{more} }}");
    let subscription = "[[subscriptions]]\nid = \"s\"\nclient_id = \"crm\"\nevent_types = [\"1\"]\n";
    let text = with_client(&format!("{policies}{subscription}{webhook}\n"));
    Site::new(&text).variable("CRM", "x").loaded().warnings
}

#[test]
fn a_webhook_that_can_never_be_reached_is_warned_of_with_the_reason() {
    let policy = |allow: &str| format!("[[webhooks.egress]]\nname = \"plant\"\nallow = [{allow}]\n");
    let plant = ", egress = \"plant\"";
    for (allow, url, more, says) in [
        ("\"public:443\"", "https://hook.example.com/", "", "the egress policy \"default\" allows nothing"),
        ("\"public:443\"", "https://10.0.0.7/hook?key=s3cret", plant, "has no entry that covers 10.0.0.7:443"),
        ("\"public:443\"", "https://hook.example.com:8443/", plant, "has no entry for port 8443"),
        ("\"public:443\"", "http://hook.example.com/", plant, "has no entry for port 80"),
        ("\"a.example:443\", \"public:443\"", "https://b.example/", plant, "names hosts, and b.example:443 is none"),
        ("\"*.example:443\"", "https://b.example/", plant, "has no entry for any address at port 443"),
        ("\"0.0.0.0/0:80\"", "http://127.0.0.1/", plant, "only an entry \"127.0.0.1:80\" would"),
        ("\"127.0.0.1:8420\"", "http://127.0.0.1:8420/", plant, "where this appliance itself listens"),
        ("\"127.0.0.1:8421\"", "http://127.0.0.1:8421/", plant, "where this appliance itself listens"),
    ] {
        let warnings = told_of(&policy(allow), url, more);
        let [warning] = &warnings[..] else { panic!("{url}: {warnings:?}") };
        assert_eq!((at(warning), warning.severity), ((11, 19), Severity::Warning), "{warning}");
        assert!(warning.message.starts_with("can never be reached: ") && warning.message.contains(says), "{warning}");
        assert!(!warning.to_string().contains("s3cret"), "{warning}");
    }
    for (allow, url) in [
        ("\"public:443\"", "https://hook.example.com/"),
        ("\"10.0.0.0/8:443\"", "https://10.0.0.7/hook"),
        ("\"10.0.0.0/8:80\"", "http://hook.plant/"),
        ("\"*.example:443\", \"[fd00::/8]:443\"", "https://b.example/"),
        ("\"127.0.0.1:8080\"", "http://localhost:8080/"),
    ] {
        assert_eq!(told_of(&policy(allow), url, plant), [], "{url}");
    }
    let proxied = format!("{}proxy = \"http://p:1\"\n", policy("\"*.example:443\""));
    assert_eq!(told_of(&proxied, "https://b.example/", plant), []);
    let replaced = policy("\"public:443\"").replace("plant", "default");
    assert_eq!(told_of(&replaced, "https://b.example/", ""), []);
}
