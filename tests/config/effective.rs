//! What the files say as a tree: its digest, its differences, and the file that says the same.

use proptest::prelude::*;
use tidings::config::{Difference, DifferenceKind, Effective, Loaded};

use crate::pki::Authority;
use crate::site::{SAMPLE, Site, with_client};

fn effective(site: &Site) -> Effective {
    site.loaded().effective
}

/// The differences, one on a line.
fn shown(differences: &[Difference]) -> Vec<String> {
    let field = |d: &Difference| {
        let fields: Vec<_> = d.fields.iter().map(|f| format!("{}: {:?} -> {:?}", f.key, f.old, f.new)).collect();
        let id = d.id.as_deref().unwrap_or("-");
        let restart = if d.restart { " (restart)" } else { "" };
        format!("{:?} {} {id}{restart} {}", d.kind, d.section, fields.join(", "))
    };
    differences.iter().map(field).collect()
}

#[test]
fn what_is_written_reads_back_as_the_same() {
    let site = Site::new(SAMPLE)
        .variable("TIDINGS__SERVER__MAX_CONNECTIONS", "77")
        .variable("TIDINGS__API__POLLING__ENABLED", "false")
        .variable("TIDINGS__AUTH__AUDIENCE", "12");
    let first = effective(&site);
    let text = first.to_toml();
    let again = Site::new(&text);
    let second = effective(&again);
    assert_eq!(shown(&first.differences(&second)), Vec::<String>::new(), "{text}");
    assert_eq!(first.digest(), second.digest());
    assert_eq!(second.to_toml(), text);
    assert_eq!(again.loaded().settings.server.max_connections, 77);
    assert!(!text.contains("two_phase_commit = false") && !text.contains("duplicate_events = 1000000"), "{text}");
}

#[test]
fn nothing_said_is_nothing_written() {
    assert_eq!(effective(&Site::new("")).to_toml(), "");
    let explicit = Site::new("[log]\nlevel = \"info\"\n");
    assert_eq!(effective(&Site::new("")).digest(), effective(&explicit).digest());
}

#[test]
fn entries_may_move_between_files_and_change_their_order() {
    let client = |id: &str| format!("[[clients]]\nid = \"{id}\"\nsecret = {{ env = \"CRM\" }}\n");
    let one = Site::new(&(client("a") + &client("b") + "[log]\nlevel = \"debug\"")).variable("CRM", "x");
    let other = Site::new(&client("b"))
        .with("conf.d/x.toml", "[log]\nlevel = \"debug\"")
        .with("conf.d/y.toml", client("a"))
        .variable("CRM", "x");
    assert_eq!(effective(&one).digest(), effective(&other).digest());
    assert!(effective(&one).differences(&effective(&other)).is_empty());
}

#[test]
fn differences_are_told_field_by_field() {
    let old = Site::new(&with_client(
        "scopes = [\"events:publish\"]\n[server]\nmax_body = \"1MiB\"\nlisten = [\"127.0.0.1:1\"]\n[[event_types]]\nid = \"1\"\n",
    ))
    .variable("CRM", "x");
    let new = Site::new(&with_client(
        "scopes = [\"events:publish\", \"trigger\"]\n[server]\nmax_body = \"2MiB\"\nlisten = [\"127.0.0.1:2\"]\n[[event_types]]\nid = \"2\"\n",
    ))
    .variable("CRM", "y");
    let differences = effective(&old).differences(&effective(&new));
    assert_eq!(
        shown(&differences),
        [
            "Changed clients crm scopes: Some(\"[\\\"events:publish\\\"]\") -> Some(\"[\\\"events:publish\\\", \
             \\\"trigger\\\"]\"), secret.env: Some(\"CRM\") -> Some(\"CRM (changed content)\")",
            "Removed event_types 1 id: Some(\"1\") -> None",
            "Added event_types 2 id: None -> Some(\"2\")",
            "Changed server - max_body: Some(\"1MiB\") -> Some(\"2MiB\")",
            "Changed server - (restart) listen: Some(\"[\\\"127.0.0.1:1\\\"]\") -> Some(\"[\\\"127.0.0.1:2\\\"]\")",
        ]
    );
    assert_eq!(differences[1].kind, DifferenceKind::Removed);
    let lines: Vec<_> = differences.iter().map(|d| d.place.as_ref().unwrap().to_string()).collect();
    assert!(lines[3].ends_with("tidings.toml:6:12"), "{lines:?}");
}

#[test]
fn a_secret_is_never_in_a_difference_or_the_debug_form() {
    let effective = |secret: &str| {
        let client = format!("[[clients]]\nid = \"a\"\nsecret = {{ value = \"{secret}\" }}\n");
        let hook = format!("webhook = {{ url = \"https://h/?t={secret}\", asymmetric = true }}\n");
        let entry = "[[subscriptions]]\nid = \"s\"\nclient_id = \"a\"\nevent_types = [\"1\"]\n";
        effective(&Site::new(&(client + entry + &hook)))
    };
    let (old, new) = (effective("hunter2-old"), effective("hunter2-new"));
    let differences = old.differences(&new);
    assert!(!format!("{differences:?} {old:?}").contains("hunter2"), "{differences:?}");
    assert_eq!(
        shown(&differences),
        [
            "Changed clients a secret.value: Some(\"***\") -> Some(\"*** (changed content)\")",
            "Changed subscriptions s webhook.url: Some(\"https://h/?***\") -> Some(\"https://h/?*** (changed content)\")",
        ]
    );
}

#[test]
fn what_is_shown_is_a_file_without_its_secrets() {
    let site = Site::new(SAMPLE).variable("TIDINGS__LOG__LEVEL", "warn");
    let effective = effective(&site);
    let text = effective.to_text(true);
    assert!(!text.contains("hunter2") && text.contains("secret.value = \"***\""), "{text}");
    for line in ["level = \"warn\"  # environment variable TIDINGS__LOG__LEVEL", "socket_mode = \"0660\"  # built-in"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains(&format!("page_size = 50  # {}:15:13\n", site.sources.file.display())), "{text}");
    let json = effective.to_json();
    assert_eq!(json["clients"][0]["secret"]["value"], "***");
    assert_eq!(json["api"]["polling"]["page_size"], 50);
    let origins = serde_json::to_value(effective.origins()).unwrap();
    let line = SAMPLE.lines().position(|line| line.contains("hunter2-hunter2")).unwrap() + 1;
    assert_eq!(origins["clients[0].secret.value"]["line"], line);
    assert_eq!(origins["log.level"]["variable"], "TIDINGS__LOG__LEVEL");
    // A hash is cut too, and a key that is not shown cannot be read again; all else is as it was.
    let text = effective.to_text(false).replace("sha256:billing1:00000000…", &format!("sha256:billing1:{:064}", 0));
    let key = SAMPLE.lines().find(|line| line.contains("PRIVATE KEY")).unwrap();
    let text = text.replace("dkim.key.value = \"***\"", &format!("dkim.key.{key}"));
    let again = Site::new(&text).loaded().effective;
    let fields: Vec<_> = effective.differences(&again).into_iter().flat_map(|d| d.fields).map(|f| f.key).collect();
    assert_eq!(
        fields,
        ["hash", "secret.value", "webhook_api_key.value", "password.value", "webhook.password.value"],
        "{text}"
    );
}

#[test]
fn a_secret_of_the_environment_is_written_as_a_reference() {
    let identity = Authority::new("authority").issue_for("server", 2020, 2090);
    let site = Site::new("").with("cert.pem", &identity.certificate);
    let certificate = site.path("cert.pem").display().to_string();
    let site = site
        .variable("TIDINGS__SERVER__TLS__CERTIFICATE", &certificate)
        .variable("TIDINGS__SERVER__TLS__KEY__VALUE", &identity.key);
    let text = effective(&site).to_toml();
    assert!(text.contains("[server.tls.key]\nenv = \"TIDINGS__SERVER__TLS__KEY__VALUE\"\n"), "{text}");
    assert!(!text.contains("PRIVATE KEY"));
    let sources = site.sources.clone().alone(site.path("kept.toml"), text);
    assert!(tidings::config::load(&sources).unwrap().settings.server.tls.is_some());
}

#[test]
fn a_certificate_that_is_renewed_is_a_difference() {
    let authority = Authority::new("authority");
    let identity = authority.issue_for("server", 2020, 2090);
    let site = Site::new("").with("ca.pem", authority.pem()).with("key", &identity.key);
    let main = format!("trust.ca = [\"system\", \"{}\"]", site.path("ca.pem").display());
    let site = site.with("tidings.toml", main);
    let old = effective(&site);
    let new = effective(&site.with("ca.pem", Authority::new("other").pem()));
    assert_eq!(shown(&old.differences(&new)).len(), 1);
    assert_ne!(old.digest(), new.digest());
}

/// A file of sections and entries that are drawn at random.
fn text() -> impl Strategy<Value = String> {
    let entry =
        ("[a-d]", "[1-3]").prop_map(|(id, name)| format!("[[event_types]]\nid = \"{id}\"\nname = \"{name}\"\n"));
    let entries = proptest::collection::btree_map("[a-d]", entry, 0..4);
    (1..4_u32, prop_oneof!["info", "debug"], entries).prop_map(|(minutes, level, entries)| {
        let head = format!("limits.clock_leap = \"{minutes}m\"\nlog.level = \"{level}\"\n");
        let entries = entries.iter().map(|(id, entry)| entry.replacen("id = \"", &format!("id = \"{id}"), 1));
        head + &entries.collect::<String>()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_digest_changes_if_and_only_if_something_differs(one in text(), other in text()) {
        let (Loaded { effective: one, .. }, Loaded { effective: other, .. }) = (Site::new(&one).loaded(), Site::new(&other).loaded());
        let differences = one.differences(&other);
        prop_assert_eq!(one.digest() == other.digest(), differences.is_empty(), "{:?}", differences);
        prop_assert_eq!(other.differences(&one).len(), differences.len());
        let again = Site::new(&one.to_toml()).loaded().effective;
        prop_assert!(one.differences(&again).is_empty());
        prop_assert_eq!(again.digest(), one.digest());
    }
}
