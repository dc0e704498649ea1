//! The forms of a secret, and that none is ever shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tidings::config::{Severity, load};

use crate::site::{SAMPLE, Site, at, only};

#[test]
fn a_secret_comes_from_where_it_is_said_to_be() {
    let mut site = Site::new("")
        .with("credentials/crm", "from systemd\n")
        .with("secret", "from a file\r\n")
        .variable("CRM", "from a variable");
    site.sources.credentials = Some(site.path("credentials"));
    let file = format!("{{ file = {:?} }}", site.path("secret"));
    let text = format!(
        "[[clients]]\nid = \"crm\"\nsecrets = [{file}, {{ credential = \"crm\" }}, {{ env = \"CRM\" }}, {{ value = \"open\" }}]\n"
    );
    let loaded = site.with("tidings.toml", text).loaded();
    let secrets = &loaded.settings.auth.clients[0].secrets;
    let expected = ["from a file", "from systemd", "from a variable", "open"];
    assert!(secrets.iter().zip(expected).all(|(kept, secret)| kept.hash.matches(secret.as_bytes())));
    assert_eq!((secrets.len(), loaded.warnings.len()), (4, 1));
    assert!(loaded.warnings[0].message.contains("stands in the configuration"), "{:?}", loaded.warnings);
}

#[test]
fn a_secret_that_is_none_is_refused_and_never_shown() {
    let site = Site::new("")
        .with("readable", "s3cr3t")
        .with("empty", "\n")
        .with("lines", "s3cr3t\n\n")
        .with("binary", b"s3cr3t\xff")
        .with("large", "s3cr3t".repeat(1000))
        .variable("EMPTY", "")
        .variable("LARGE", &"s3cr3t".repeat(1000));
    fs::set_permissions(site.path("readable"), fs::Permissions::from_mode(0o644)).unwrap();
    let file = |name: &str| format!("{{ file = {:?} }}", site.path(name));
    let wrong = [
        (file("readable"), "run: chmod o-rwx "),
        (file("empty"), "the secret is empty"),
        (file("lines"), "has a line end"),
        (file("binary"), "not UTF-8"),
        (file("large"), "larger than"),
        (file("."), "is not a file"),
        (file("missing"), "cannot be read"),
        ("{ env = \"EMPTY\" }".to_owned(), "the secret is empty"),
        ("{ env = \"LARGE\" }".to_owned(), "larger than"),
        ("{ env = \"MISSING\" }".to_owned(), "MISSING is not set"),
        ("{ credential = \"crm\" }".to_owned(), "LoadCredential="),
        ("{ credential = \"../readable\" }".to_owned(), "must be the name of a credential"),
        ("{ value = \"\" }".to_owned(), "the secret is empty"),
        ("{ value = [\"s3cr3t\"] }".to_owned(), "must be text"),
        ("\"s3cr3t\"".to_owned(), "must be one of { file"),
        ("[\"s3cr3t\"]".to_owned(), "must be a table"),
        ("{ value = \"s3cr3t\", env = \"EMPTY\" }".to_owned(), "exactly one of"),
        ("{}".to_owned(), "exactly one of"),
        ("{ value = \"s3cr3t }".to_owned(), "not TOML"),
    ];
    let texts: Vec<_> = wrong.iter().map(|(form, _)| format!("[[clients]]\nid = \"crm\"\nsecret = {form}\n")).collect();
    let mut site = site;
    for (text, (form, message)) in texts.iter().zip(&wrong) {
        site = site.with("tidings.toml", text);
        site.sources.credentials = form.contains("..").then(|| site.path("conf.d"));
        let problems = load(&site.sources).unwrap_err();
        let errors: Vec<_> = problems.problems.iter().filter(|p| p.severity == Severity::Error).collect();
        assert!(errors.iter().any(|p| p.to_string().contains(message) && at(p).0 == 3), "{form}: {problems}");
        assert!(!format!("{problems} {problems:?}").contains("s3cr3t"), "{form}");
    }
}

#[test]
fn settings_and_warnings_never_show_a_secret() {
    let loaded = Site::new(SAMPLE).loaded();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn a_client_needs_secrets_and_either_form_of_them() {
    let entry = |secrets: &str| Site::new(&format!("[[clients]]\nid = \"crm\"\n{secrets}")).variable("CRM", "x");
    assert!(only(&entry("").shown()).contains("secret (or secrets, or certificate) is missing"));
    assert!(only(&entry("secrets = []").shown()).contains("must have 1 to 16 entries"));
    let both = "secret = { env = \"CRM\" }\nsecrets = [{ env = \"CRM\" }]";
    assert!(only(&entry(both).shown()).contains("both secret and secrets"));
}
