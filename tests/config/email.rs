//! `[email]`: the relay and how it is guarded, who may be mailed, and the templates, each tried with a sample.

use std::time::Duration;

use tidings::channel::email::{EmailSettings, SUPPRESS_FOR, Security};
use tidings::config::Severity;
use tidings::model::target::{EmailTarget, Role, Target};

use crate::site::{Site, at, only, with_client};

/// A main file whose `[email]` has these lines besides what is required.
fn email(lines: &str) -> Site {
    let from =
        if lines.starts_with("from") || lines.contains("\nfrom") { "" } else { "from = \"tidings@example.com\"\n" };
    let relay = if lines.contains("relay =") { "" } else { "relay = \"smtp://127.0.0.1\"\n" };
    Site::new(&format!("[email]\n{from}{relay}{lines}"))
}

fn settings(lines: &str) -> EmailSettings {
    email(lines).loaded().settings.email.unwrap()
}

#[test]
fn little_has_to_be_said() {
    let email = settings("");
    assert_eq!(email.from.address, email.envelope_from);
    assert_eq!((email.relay.address.port, email.relay.security), (25, Security::None));
    assert!(email.relay.login.is_none() && email.relay.helo.is_none() && email.dkim.is_none() && email.rate.is_none());
    assert_eq!((email.relay.timeout, email.relay.connections), (Duration::from_mins(1), 4));
    assert_eq!((email.default_locale.as_str(), email.suppress_for), ("en", SUPPRESS_FOR));
    assert!(email.allowed_recipients.rules.is_empty() && email.list_unsubscribe.is_empty());
    assert!(Site::new("").loaded().settings.email.is_none());
}

#[test]
fn a_relay_elsewhere_is_talked_to_by_tls() {
    for (lines, expected) in [
        ("relay = \"smtp://relay\"", Security::StartTls),
        ("relay = \"smtp://relay\"\nstarttls = \"required\"", Security::StartTls),
        ("relay = \"smtp://relay\"\nstarttls = \"off\"", Security::None),
        ("relay = \"smtps://relay\"", Security::Implicit),
        ("relay = \"smtp://localhost\"", Security::None),
        ("relay = \"smtp://[::1]:26\"", Security::None),
        ("relay = \"smtp://127.0.0.1\"\nstarttls = \"required\"", Security::StartTls),
        ("relay = \"smtps://127.0.0.1\"", Security::Implicit),
    ] {
        assert_eq!(settings(lines).relay.security, expected, "{lines}");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let wrong = [
        ("relay = \"relay:25\"", "3:9", "must be \"smtp://host:port\""),
        ("relay = \"smtp://tidings:s3cr3t@relay\"", "3:9", "name and password have keys of their own"),
        ("relay = \"smtps://relay\"\nstarttls = \"required\"", "4:12", "leave starttls out"),
        ("starttls = \"none\"", "4:12", "must be \"required\" or \"off\""),
        ("username = \"tidings\"", "1:1", "username needs password"),
        ("password = { value = \"s3cr3t\" }", "1:1", "password needs username"),
        ("from = \"Tidings\"", "3:8", "must be an address such as"),
        ("from = \"a@h, b@h\"", "3:8", "must be an address such as"),
        ("from = \"jané@example.com\"", "3:8", "write email.smtputf8 = true"),
        ("envelope_from = \"jané@example.com\"", "4:17", "write email.smtputf8 = true"),
        ("envelope_from = \"Bounces <b@h>\"", "4:17", "must be an address"),
        ("helo = \"my host\"", "4:8", "must be a domain name"),
        ("helo = \"[host]\"", "4:8", "must be a domain name"),
        ("default_locale = \"english\"", "4:18", "must be a language such as"),
        ("allowed_recipients = [\"example.com\", \"*x\"]", "4:38", "must be a domain"),
        ("list_unsubscribe = \"unsubscribe@example.com\"", "4:20", "must be a URI"),
        ("list_unsubscribe = [\"https://h/<x>\"]", "4:21", "must be a URI"),
        ("templates = \"/nowhere/at/all\"", "4:13", "the folder /nowhere/at/all cannot be read"),
        (
            "dkim = { domain = \"example.com\", selector = \"s\", key = { value = \"s3cr3t\" } }",
            "4:56",
            "RSA of at least",
        ),
        ("dkim = { domain = \"example.com\", selector = \"s\" }", "4:8", "the required key key is missing"),
        ("dkim = { domain = \"-\", selector = \"a b\", key = { env = \"X\" } }", "4:35", "must be a domain name"),
        ("rate = \"fast\"", "4:8", "such as"),
        ("timeout = \"500ms\"", "4:11", "must be from 1s to 2m"),
        ("suppress_for = \"11y\"", "4:16", "must be a duration"),
        ("in_flight = 0", "4:13", "must be from 1"),
        ("in_flight_each = 1001", "4:18", "must be from 1"),
    ];
    for (lines, place, message) in wrong {
        let shown = email(lines).shown();
        let found = shown.iter().find(|shown| shown.starts_with(&format!("tidings.toml:{place}: ")));
        assert!(found.is_some_and(|shown| shown.contains(message)), "{lines}: {shown:?}");
        assert!(shown.iter().all(|shown| !shown.contains("s3cr3t")), "{shown:?}");
    }
    let shown = Site::new("[email]\nrate = \"1/s\"\n").shown();
    assert_eq!(shown.len(), 2, "one problem hides no other, and makes none: {shown:?}");
}

#[test]
fn what_is_risky_is_warned_of() {
    const KEY: &str = "{ value = \"-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\\n-----END PRIVATE KEY-----\" }";
    let warned = |lines: &str| -> Vec<String> {
        let warnings = email(lines).loaded().warnings;
        assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
        warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    let login = "username = \"a\"\npassword = { value = \"x\" }";
    let in_the_clear = "the password goes to the relay in the clear";
    let off = warned(&format!("relay = \"smtp://relay\"\nstarttls = \"off\"\n{login}"));
    assert!(off.iter().any(|warning| warning == in_the_clear), "{off:?}");
    for safe in ["relay = \"smtps://relay\"", "relay = \"smtp://relay\"", "relay = \"smtp://127.0.0.1\""] {
        let warned = warned(&format!("{safe}\n{login}"));
        assert!(warned.iter().all(|warning| warning != in_the_clear), "{warned:?}");
    }
    let dkim = |domain: &str| warned(&format!("dkim = {{ domain = \"{domain}\", selector = \"s\", key = {KEY} }}"));
    assert!(dkim("example.com").len() == 1 && dkim("mail.example.com").len() == 1);
    assert!(dkim("other.test").iter().any(|warning| warning.contains("signed by other.test")));
}

#[test]
fn a_password_comes_from_where_it_is_said_to_be() {
    let site = email("").with("secret", "from a file\n");
    let lines = format!("username = \"tidings\"\npassword = {{ file = {:?} }}\n", site.path("secret"));
    let main = format!("[email]\nfrom = \"a@h\"\nrelay = \"smtps://relay\"\n{lines}");
    let login = site.with("tidings.toml", main).loaded().settings.email.unwrap().relay.login.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&login.password), "from a file");
}

/// A main file with mail, a folder of templates and one subscription by mail with these lines.
fn mailed(email: &str, subscription: &str) -> Site {
    let client = with_client("");
    Site::new(&format!(
        "{client}[email]\nfrom = \"a@h\"\nrelay = \"smtp://127.0.0.1\"\n{email}\n[[subscriptions]]\nid = \"s\"\nclient_id = \"crm\"\nevent_types = [\"1\"]\nemail = {subscription}\n"
    ))
    .variable("CRM", "x")
}

#[test]
fn an_endpoint_is_one_address_with_its_template_and_language() {
    let to = "{ to = [\"a@Example.com\", \"b@example.com\"], template = \"account\", locale = \"fr\" }";
    let loaded = mailed("templates = \"config/templates\"", to).loaded();
    let target = |address: &str| {
        Target::Email(EmailTarget {
            address: address.to_owned(),
            role: Role::Subscriber,
            template: Some("account".to_owned()),
            locale: Some("fr".to_owned()),
        })
    };
    assert_eq!(loaded.settings.engine.declared[0].endpoints, [target("a@example.com"), target("b@example.com")]);
}

#[test]
fn an_endpoint_that_cannot_be_mailed_is_refused_where_it_stands() {
    let folder = "templates = \"config/templates\"";
    for (section, endpoint, place, message) in [
        (
            "",
            "{ to = [\"a@h\"], template = \"account\" }",
            "12:36",
            "there is no template \"account\"; put account.txt",
        ),
        (
            folder,
            "{ to = [\"a@h\"], template = \"acount\" }",
            "12:36",
            "there is no template \"acount\"; did you mean account?",
        ),
        (folder, "{ to = [\"a@h\"], template = \"../x\" }", "12:36", "must be 1 to 255 letters"),
        ("", "{ to = [\"a@h\"], locale = \"french\" }", "12:34", "must be a language such as"),
        ("", "{ to = [\"jané@h\"] }", "12:17", "has other than ASCII characters in it; write email.smtputf8 = true"),
    ] {
        let shown = mailed(section, endpoint).shown();
        assert!(only(&shown).starts_with(&format!("tidings.toml:{place}: ")), "{shown:?}");
        assert!(shown[0].contains(message), "{shown:?}");
    }
    mailed("smtputf8 = true", "{ to = [\"jané@h\"] }").loaded();
}

/// A site whose folder of templates has these files.
fn with_templates(files: &[(&str, &str)]) -> Site {
    let site = email("").with("templates/.gitkeep", "");
    let main = format!(
        "[email]\nfrom = \"a@h\"\nrelay = \"smtp://127.0.0.1\"\ntemplates = \"{}\"\n",
        site.path("templates").display()
    );
    files
        .iter()
        .fold(site.with("tidings.toml", main), |site, (name, text)| site.with(&format!("templates/{name}"), text))
}

#[test]
fn templates_are_read_and_tried() {
    let site = with_templates(&[
        ("account.fr.txt", "Bonjour {{ data.name }}"),
        ("account.sample.json", "{\"name\": \"Zoë\"}"),
        ("default.subject", "[site] {{ type }}"),
        ("account.fr.txt~", "{{ broken"),
        ("README", "about these"),
    ]);
    let loaded = site.loaded();
    let templates = loaded.settings.email.unwrap().templates;
    assert!(templates.has("account") && templates.has("default"));
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let end = "is no template: their names end in .subject, .txt, .html, or .sample.json";
    assert_eq!(warnings, [end, "is not read: left behind by an editor"]);
}

#[test]
fn a_bad_template_is_said_where_it_is_bad() {
    let site = with_templates(&[
        ("a.txt", "{{ data.name }}\n{{ nobody }}\n"),
        ("b.html", "<p>\n\n{% if %}"),
        ("c.txt", "{{ data.x }} {{ data.y }}"),
        ("c.sample.json", "{\"x\": 1}"),
        ("d.sample.json", "{\"x\": 1, \"x\": 2}"),
        ("e.txt", "{{ data.total * 2 }}"),
    ])
    .with("templates/f.txt", b"\xff");
    let problems = site.problems();
    let shown = site.shown();
    assert_eq!(shown.len(), 6, "{shown:#?}");
    for expected in [
        "templates/a.txt:2:1: email.templates: there is no variable nobody; there are accepted, address",
        "templates/b.html:3:1: email.templates: syntax error",
        "templates/c.txt:1:1: email.templates: undefined value",
        "templates/d.sample.json: email.templates: is no JSON",
        "templates/e.txt:1:1: warning: email.templates: cannot be tried without a sample of its data",
        "templates/f.txt: email.templates: is not UTF-8",
    ] {
        assert!(shown.iter().any(|shown| shown.starts_with(expected)), "{expected}: {shown:#?}");
    }
    let nobody = problems.iter().find(|problem| problem.message.contains("nobody")).unwrap();
    assert_eq!(at(nobody), (2, 1));
}

#[test]
fn a_time_zone_has_a_name_that_is_known() {
    Site::new("events.time_zone = \"Pacific/Auckland\"").loaded();
    let shown = Site::new("events.time_zone = \"Pacific/Atlantis\"").shown();
    assert!(only(&shown).starts_with("tidings.toml:1:20: events.time_zone: must be \"UTC\" or a zone"), "{shown:?}");
}

#[test]
fn the_shipped_templates_are_good() {
    let loaded = email("templates = \"config/templates\"").loaded();
    assert_eq!(loaded.warnings, []);
    let mut names: Vec<_> = loaded.settings.email.as_ref().unwrap().templates.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["account", "account.en"]);
}
