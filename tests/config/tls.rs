//! `server.tls` and `admin.tls`: certificates and keys are read and looked at before anything is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tidings::base::clock::Timestamp;
use tidings::config::{Problem, Severity};

use crate::pki::Authority;
use crate::site::{Site, at, only};

const OPEN: &str = "listen = [\"0.0.0.0:1\"]\npublic_url = \"https://h\"\n";

/// A directory with a certificate, its key and an authority, and a main file that may name them as `@cert`, `@key`, `@ca`.
fn site(main: &str) -> Site {
    let authority = Authority::new("authority");
    let identity = authority.issue_for("server", 2026, 2028);
    let site = Site::new("")
        .with("cert.pem", &identity.certificate)
        .with("key.pem", &identity.key)
        .with("ca.pem", authority.pem());
    let names = [("@cert", "cert.pem"), ("@key", "key.pem"), ("@ca", "ca.pem"), ("@other", "other.pem")];
    let main = names
        .iter()
        .fold(main.to_owned(), |text, (sign, name)| text.replace(sign, &format!("\"{}\"", site.path(name).display())));
    let other = authority.issue("other");
    on(site.with("tidings.toml", main).with("other.pem", &other.key), "2027-01-01T00:00:00Z")
}

fn on(mut site: Site, date: &str) -> Site {
    site.sources.now = Timestamp::parse_rfc3339(date).unwrap();
    site
}

fn tls(keys: &str) -> Site {
    site(&format!("[server]\n{OPEN}[server.tls]\n{keys}"))
}

const GOOD: &str = "certificate = @cert\nkey = { file = @key }\n";

#[test]
fn an_address_that_others_reach_may_have_tls_of_its_own() {
    let settings = tls(GOOD).loaded().settings;
    let validity = settings.server.tls.unwrap().validity();
    assert_eq!(validity.not_after.to_rfc3339_seconds(), "2028-01-01T00:00:00Z");
    assert!(settings.admin.tls.is_none());
    let admin = format!("[admin]\nlisten = [\"0.0.0.0:2\"]\ntls = {{ {} }}", GOOD.trim().replace('\n', ", "));
    assert!(site(&admin).loaded().settings.admin.tls.is_some());
    // The one does not stand in for the other.
    let shown = site(&format!("[admin]\nlisten = [\"0.0.0.0:2\"]\n[server.tls]\n{GOOD}")).shown();
    assert!(only(&shown).contains("admin.listen[0]: 0.0.0.0:2 can be reached") && shown[0].contains("write admin.tls"));
    let local = site(&format!("[server.tls]\n{GOOD}")).loaded().settings;
    assert_eq!(local.public_url, "https://127.0.0.1:8420");
}

#[test]
fn every_key_is_read() {
    for more in [
        "min_version = \"1.2\"",
        "min_version = \"1.3\"",
        "client_ca = @ca",
        "client_ca = @ca\nclient_auth = \"optional\"",
        "client_ca = @ca\nclient_auth = \"required\"",
    ] {
        assert!(tls(&format!("{GOOD}{more}")).loaded().warnings.is_empty(), "{more}");
    }
    let forms = tls("certificate = @cert\nkey = { env = \"KEY\" }\n");
    let key = fs::read_to_string(forms.path("key.pem")).unwrap();
    forms.variable("KEY", &key).loaded();
    let open = tls(&format!("certificate = @cert\nkey = {{ value = {key:?} }}\n"));
    assert!(open.shown()[0].contains("is the key of another certificate"), "each site has its own");
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let wrong = [
        ("", "4:1", "server.tls: the required key certificate is missing"),
        ("certificate = @cert\n", "4:1", "server.tls: the required key key is missing"),
        ("certificate = @cert\nkey = { file = @other }\n", "6:7", "server.tls.key: is the key of another certificate"),
        ("certificate = @key\nkey = { file = @key }\n", "5:15", "holds no certificate in PEM"),
        ("certificate = \"/no/such.pem\"\nkey = { file = @key }\n", "5:15", "/no/such.pem cannot be read"),
        ("certificate = @cert\nkey = { file = @cert }\n", "6:7", "server.tls.key: holds no private key in PEM"),
        ("certificate = @cert\nkey = @key\n", "6:7", "must be one of { file ="),
        (&format!("{GOOD}min_version = \"1.1\""), "7:15", "must be \"1.2\" or \"1.3\""),
        (&format!("{GOOD}client_ca = @key"), "7:13", "holds no certificate in PEM"),
        (&format!("{GOOD}client_auth = \"required\""), "4:1", "client_auth needs client_ca"),
        (&format!("{GOOD}client_ca = @ca\nclient_auth = \"maybe\""), "8:15", "must be \"required\" or \"optional\""),
        (&format!("{GOOD}certificat = 1"), "7:1", "did you mean certificate?"),
    ];
    for (keys, place, message) in wrong {
        let shown = tls(keys).shown();
        let told = shown
            .iter()
            .any(|problem| problem.starts_with(&format!("tidings.toml:{place}: ")) && problem.contains(message));
        assert!(told, "{keys}: {shown:?}");
    }
    for (number, key) in ["certificate", "key", "min_version", "client_ca", "client_auth"].into_iter().enumerate() {
        for value in ["2027-01-01", "1.5", "[[]]", "{ x = { y = 1 } }", "-1", "\"\\u0000\""] {
            let problems = tls(&format!("{}{key} = {value}", "\n".repeat(number))).problems();
            assert!(problems.iter().any(|problem| at(problem).0 == 5 + number), "{key} = {value}: {problems:?}");
        }
    }
}

#[test]
fn a_key_that_everybody_can_read_is_refused_and_none_is_shown() {
    let site = tls(GOOD);
    fs::set_permissions(site.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(only(&site.shown()).contains("chmod o-rwx"));
    let text = "-----BEGIN PRIVATE KEY-----\\nc2VjcmV0\\n-----END PRIVATE KEY-----\\n";
    let shown = tls(&format!("certificate = @cert\nkey = {{ value = \"{text}\" }}\n")).shown();
    assert!(shown.iter().any(|problem| problem.contains("server.tls.key: cannot be used")), "{shown:?}");
    assert!(shown.iter().all(|problem| !problem.contains("c2Vj") && !problem.contains("secret\"")), "{shown:?}");
}

#[test]
fn a_certificate_is_warned_of_before_it_ends_and_refused_after_it() {
    let warnings = |date: &str| on(tls(GOOD), date).loaded().warnings;
    assert_eq!(warnings("2027-12-01T23:59:59Z"), []);
    let soon = warnings("2027-12-02T00:00:01Z");
    assert_eq!((at(&soon[0]), soon[0].severity), ((5, 15), Severity::Warning));
    assert!(soon[0].message.contains("good until 2028-01-01T00:00:00Z"), "{}", soon[0]);
    // The last second of a certificate is part of its life (RFC 5280, 4.1.2.5).
    assert_eq!(warnings("2028-01-01T00:00:00Z").len(), 1);
    let problems: Vec<Problem> = on(tls(GOOD), "2028-01-01T00:00:01Z").problems();
    assert_eq!((problems.len(), at(&problems[0])), (1, (5, 15)));
    assert!(problems[0].message.contains("has expired"), "{}", problems[0]);
    // What ran before runs on: others than those who look at certificates are still served.
    let mut last_good = on(tls(GOOD), "2028-01-01T00:00:01Z");
    last_good.sources.alone = true;
    assert!(
        only(&last_good.loaded().warnings.iter().map(ToString::to_string).collect::<Vec<_>>()).contains("has expired")
    );
    let early = warnings("2025-12-31T23:59:59Z");
    assert!(early[0].message.contains("is not good before 2026-01-01T00:00:00Z"), "{}", early[0]);
}
