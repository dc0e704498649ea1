//! The configuration through its front door: files in, settings or located problems out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tidings::config::{Flag, Loaded, Place, Problem, Problems, Severity, Sources, load};
use tidings::http::settings::ListenAddress;
use tidings::model::notification::EndpointKind;
use tidings::model::subscription::ContractName;

/// Every key of this release, each on a line of its own.
const SAMPLE: &str = r#"data_dir = "data"
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
[auth]
audience = "site"
token_lifetime = "10m"
token_paths = ["/oauth2/token", "/login"]
[events]
catalogue = "closed"
history = "0s"
history_max = "1GiB"
duplicate_window = "1h"
duplicate_events = 5000
audience = "required"
[events.ttl]
poll = "12h"
webhook = "2d"
email = "3d"
[limits]
queue_depth = 10
queue_total = 20
[log]
format = "json"
level = "debug"
[[clients]]
id = "crm"
scopes = ["events:publish", "notification:consent:consumer"]
parties = ["1001", "1002"]
subscriber = "s-1"
group = "acme"
[clients.secret]
value = "hunter2-hunter2"
[[event_types]]
id = "301"
name = "create account"
category = "IDENTITY_LIFECYCLE"
channels = ["poll", "webhook"]
contracts = ["polling"]
audience = "optional"
[event_types.ttl]
poll = "500s"
webhook = "1d"
email = "1d"
[[subscriptions]]
id = "crm-accounts"
client_id = "crm"
event_types = ["301"]
contract = "polling"
[subscriptions.poll]
"#;

/// A directory with configuration files in it.
struct Site {
    directory: tempfile::TempDir,
    sources: Sources,
}

impl Site {
    fn new(main: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources::new(directory.path().join("tidings.toml"));
        Self { directory, sources }.with("tidings.toml", main)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn loaded(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn problems(&self) -> Vec<Problem> {
        load(&self.sources).expect_err("there is something wrong with it").problems
    }

    /// The problems as they are shown, without the directory.
    fn shown(&self) -> Vec<String> {
        let directory = format!("{}/", self.directory.path().display());
        self.problems().iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
    }
}

/// A main file with a client besides `more`.
fn with_client(more: &str) -> String {
    format!("[[clients]]\nid = \"crm\"\nsecret = {{ env = \"CRM\" }}\n{more}")
}

fn only(shown: &[String]) -> &str {
    assert_eq!(shown.len(), 1, "{shown:#?}");
    &shown[0]
}

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
    assert_eq!(settings.root.token_paths, ["/oauth2/token", "/login"]);
    assert_eq!((settings.auth.audience.as_str(), settings.auth.token_lifetime.as_secs()), ("site", 600));
    assert_eq!(settings.auth.issuer, settings.public_url);
    let client = &settings.auth.clients[0];
    assert!(client.secrets[0].matches(b"hunter2-hunter2"));
    assert_eq!(client.owners.to_audience(), "1001,1002,acme,s-1");
    assert_eq!(settings.engine.owners[&client.id], client.owners);
    let catalogue = settings.engine.catalogue;
    assert!(catalogue.closed && catalogue.audience_required && !catalogue.get("301").unwrap().audience_required);
    assert_eq!(catalogue.ttl("301", EndpointKind::Poll), Duration::from_secs(500));
    assert_eq!(catalogue.ttl("302", EndpointKind::Poll), Duration::from_hours(12));
    assert!(!catalogue.is_open_to("301", ContractName::Polling, EndpointKind::Email));
    assert_eq!((settings.store.queue_depth, settings.store.queue_total), (10, 20));
    assert_eq!((settings.store.history, settings.store.history_max), (Duration::ZERO, 1 << 30));
    assert_eq!((settings.store.duplicate_window.as_secs(), settings.store.duplicate_events), (3600, 5000));
    let declared = &settings.engine.declared[0];
    assert_eq!((declared.id.as_str(), declared.created_by.as_str()), ("crm-accounts", "configuration"));
    assert_eq!(declared.endpoints, [EndpointKind::Poll]);
    assert_eq!(settings.log.level, tracing::Level::DEBUG);
    assert_eq!(settings.sample.unwrap().secret, "hunter2-hunter2");
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn nothing_but_a_file_is_needed() {
    let settings = Site::new("").loaded().settings;
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/tidings"));
    assert_eq!(settings.public_url, "http://127.0.0.1:8420");
    assert_eq!(settings.polling.unwrap().mount, "/notification/v1");
    assert!(settings.sample.is_none());
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

fn at(problem: &Problem) -> (usize, usize) {
    match problem.place {
        Place::File { line: Some(line), column: Some(column), .. } => (line, column),
        _ => panic!("{problem} has no line"),
    }
}

#[test]
fn a_misspelt_key_is_refused_where_it_stands() {
    for (number, key, value) in key_lines() {
        let problems = sample_with(number, &format!("{key}z = {value}")).problems();
        let unknown = problems.iter().find(|p| p.message == "unknown key").unwrap_or_else(|| panic!("{key}"));
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
    const ASKED_FOR: [&str; 6] = ["id", "client_id", "event_types", "value", "public_url", "plaintext"];
    for (number, key, _) in key_lines() {
        let header = SAMPLE.lines().take(number).enumerate().filter(|(_, line)| line.starts_with('[')).last();
        let header = header.map(|(n, _)| n + 1);
        match load(&sample_with(number, "").sources) {
            Ok(_) => assert!(!ASKED_FOR.contains(&key), "{key}"),
            Err(Problems { problems, .. }) => {
                assert!(ASKED_FOR.contains(&key), "{key}: {problems:?}");
                let mut errors = problems.iter().filter(|p| p.severity == Severity::Error);
                let told = errors.find(|p| p.to_string().contains(key)).unwrap_or_else(|| panic!("{key}"));
                // What an open address needs is said of the address.
                assert!(header == Some(at(told).0) || key == "plaintext" && at(told).0 == 3, "{told}");
            }
        }
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_sources() {
    let site = Site::new("data_dir = 5\n[server]\nmax_bdy = 1\n[limits]\nqueue_depth = 0\n")
        .with("conf.d/10-broken.toml", "[server\n")
        .with("conf.d/20-more.toml", "[log]\nlevel = \"inof\"\n")
        .variable("TIDINGS__SERVER__HEADER_TIMEOUT", "2h");
    assert_eq!(
        site.shown(),
        [
            "tidings.toml:1:12: data_dir: must be text in quotes, not a number",
            "tidings.toml:3:1: server.max_bdy: unknown key; did you mean max_body?",
            "tidings.toml:5:15: limits.queue_depth: must be from 1 to 1000000000, not 0",
            "conf.d/10-broken.toml:1:8: not TOML: unclosed table, expected `]`",
            "conf.d/20-more.toml:2:9: log.level: must be \"error\" or \"warn\" or \"info\" or \"debug\" or \"trace\", not \
             \"inof\"; did you mean info?",
            "environment variable TIDINGS__SERVER__HEADER_TIMEOUT: server.header_timeout: must be from 1s to 1h, not 2h",
        ]
    );
}

#[test]
fn problems_can_be_read_by_programs() {
    let problems = load(&Site::new("[log]\nlevle = 1\n").with("conf.d/a.toml~", "").sources).unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    let problem = &json["problems"][0];
    assert!(problem["file"].as_str().unwrap().ends_with("tidings.toml"));
    assert_eq!((&problem["severity"], &problem["key"]), (&"error".into(), &"log.levle".into()));
    assert_eq!((&problem["line"], &problem["column"]), (&2.into(), &1.into()));
    assert_eq!(problem["suggestion"], "did you mean level?");
    assert_eq!(json["files_skipped"][0]["reason"], "left behind by an editor");
}

#[test]
fn columns_count_characters_and_lines_may_end_as_on_windows() {
    let site = Site::new("[log]\r\n\"é\" = 1\r\nlevel = 'é'\r\n");
    let places: Vec<_> = site.problems().iter().map(at).collect();
    assert_eq!(places, [(2, 1), (3, 9)]);
    let site = Site::new("").with("tidings.toml", b"a = 1\nb = \"\xc3\xa9\xff\"");
    assert_eq!(only(&site.shown()), "tidings.toml:2:7: not UTF-8; save the file as UTF-8");
}

#[test]
fn later_sources_win_tables_merge_and_lists_add_up() {
    let mut site = Site::new(&with_client(
        "[log]\nlevel = \"error\"\nformat = \"json\"\n[auth]\ntoken_paths = [\"/a\", \"/b\"]\n",
    ))
    .with("conf.d/20.toml", "[auth]\ntoken_paths = [\"/c\"]\n[log]\nlevel = \"debug\"\n")
    .with("conf.d/10.toml", "[log]\nlevel = \"warn\"\n[[clients]]\nid = \"erp\"\nsecret = { env = \"CRM\" }\n")
    .variable("CRM", "x");
    let settings = site.loaded().settings;
    assert_eq!(settings.log.level, tracing::Level::DEBUG);
    assert_eq!(settings.log.format, tidings::config::LogFormat::Json);
    assert_eq!(settings.root.token_paths, ["/c"]);
    let ids: Vec<_> = settings.auth.clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(ids, ["crm", "erp"]);
    site = site.variable("TIDINGS__LOG__LEVEL", "trace");
    assert_eq!(site.loaded().settings.log.level, tracing::Level::TRACE);
    site.sources.flags.push(Flag { name: "--log-level", key: "log.level", value: "error".to_owned() });
    assert_eq!(site.loaded().settings.log.level, tracing::Level::ERROR);
    site.sources.flags[0].value = "loud".to_owned();
    assert!(only(&site.shown()).starts_with("flag --log-level: log.level: must be"));
}

#[test]
fn only_the_files_beside_the_main_one_are_read_in_name_order() {
    let site = Site::new("").with("conf.d/b.toml", "").with("conf.d/a.toml", "").with("other.toml", "nonsense");
    assert_eq!(
        site.loaded().files_read,
        ["tidings.toml", "conf.d/a.toml", "conf.d/b.toml"].map(|name| site.path(name))
    );
}

#[test]
fn left_overs_are_skipped_and_said_so() {
    let names = [
        "a.toml~",
        ".a.toml",
        "a.bak",
        "a.toml.rpmnew",
        "a.toml.rpmsave",
        "a.toml.dpkg-new",
        "#a.toml#",
        ".a.swp",
        "a.json",
    ];
    let site = names.iter().fold(Site::new(""), |site, name| site.with(&format!("conf.d/{name}"), "nonsense"));
    fs::create_dir(site.path("conf.d/dir.toml")).unwrap();
    let loaded = site.loaded();
    assert_eq!(loaded.files_skipped.len(), names.len() + 1, "{:?}", loaded.files_skipped);
    assert_eq!(loaded.files_read.len(), 1);
}

#[test]
fn the_same_id_twice_names_both_places() {
    let twice = [
        with_client("[[clients]]\nid = \"crm\"\nsecret = { env = \"CRM\" }\n"),
        "[[event_types]]\nid = \"301\"\n\n[[event_types]]\nid = \"301\"\n".to_owned(),
    ];
    for (text, line) in twice.iter().zip([5, 5]) {
        let shown = Site::new(text).variable("CRM", "x").shown();
        assert!(only(&shown).starts_with(&format!("tidings.toml:{line}:6: ")), "{shown:?}");
        assert!(shown[0].contains("tidings.toml:2:6"), "{shown:?}");
    }
    let site = Site::new(&with_client("")).with("conf.d/a.toml", with_client("")).variable("CRM", "x");
    let shown = site.shown();
    assert!(
        only(&shown).starts_with("conf.d/a.toml:2:6: clients[1].id: the id \"crm\" is declared twice"),
        "{shown:?}"
    );
    assert!(shown[0].contains("tidings.toml:2:6"), "{shown:?}");
}

#[test]
fn a_table_does_not_silently_replace_something_else() {
    let site = Site::new("server = 5\nclients = 5\n")
        .with("conf.d/a.toml", with_client("[server]\nmax_connections = 5\n"))
        .variable("CRM", "x");
    assert_eq!(
        site.shown(),
        [
            "tidings.toml:1:10: server: is a plain value here, but a table in conf.d/a.toml:4:2",
            "tidings.toml:2:11: clients: is a plain value here, but an array in conf.d/a.toml:1:3",
        ]
    );
    assert_eq!(only(&Site::new("server = 5").shown()), "tidings.toml:1:10: server: must be a table, not a number");
}

#[test]
fn the_environment_sets_scalars_and_plain_arrays() {
    let settings = Site::new("")
        .variable("TIDINGS__SERVER__LISTEN", r#"["127.0.0.1:1", "[::1]:2"]"#)
        .variable("TIDINGS__SERVER__PUBLIC_URL", "http://h")
        .variable("TIDINGS__SERVER__MAX_CONNECTIONS", "7")
        .variable("TIDINGS__SERVER__MAX_BODY", "2048")
        .variable("TIDINGS__API__POLLING__ENABLED", "false")
        .variable("TIDINGS__AUTH__AUDIENCE", "12")
        .variable("TIDINGS_CONFIG", "/nowhere")
        .loaded()
        .settings;
    assert_eq!(settings.server.listen.len(), 2);
    assert_eq!((settings.server.max_connections, settings.server.max_body), (7, 2048));
    assert_eq!((settings.public_url.as_str(), settings.auth.audience.as_str()), ("http://h", "12"));
    assert!(settings.polling.is_none());
}

#[test]
fn what_is_wrong_with_the_environment_names_the_variable() {
    let wrong = [
        ("TIDINGS__SERVER__MAX_BDY", "1", "unknown key; did you mean max_body?"),
        ("TIDINGS__SERVER__MAX_CONNECTIONS", "many", "must be a whole number"),
        ("TIDINGS__SERVER__LISTEN", "127.0.0.1:1", "must be an array"),
        ("TIDINGS__SERVER__LISTEN", "[127.0.0.1:1]", "must be an array"),
        ("TIDINGS__SERVER", "x", "must be a table"),
        ("TIDINGS__LOG__LEVEL__X", "x", "not a table"),
        ("TIDINGS__CLIENTS", "[]", "in files only"),
        ("TIDINGS__", "x", "unknown key"),
        ("TIDINGS__LOG____X", "x", "unknown key"),
    ];
    for (name, value, message) in wrong {
        let shown = Site::new("[server]\nlisten = [\"127.0.0.1:9\"]").variable(name, value).shown();
        assert!(only(&shown).starts_with(&format!("environment variable {name}: ")), "{shown:?}");
        assert!(shown[0].contains(message), "{shown:?}");
    }
}

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
    assert!(secrets.iter().zip(expected).all(|(hash, secret)| hash.matches(secret.as_bytes())));
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
    assert!(only(&entry("").shown()).contains("secret (or secrets) is missing"));
    assert!(only(&entry("secrets = []").shown()).contains("must have 1 to 16 entries"));
    let both = "secret = { env = \"CRM\" }\nsecrets = [{ env = \"CRM\" }]";
    assert!(only(&entry(both).shown()).contains("both secret and secrets"));
}

#[test]
fn addresses_that_others_reach_need_a_proxy_and_a_url() {
    let server = |more: &str| Site::new(&format!("[server]\nlisten = [\"0.0.0.0:8420\"]\n{more}"));
    let shown = server("").shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[0].starts_with("tidings.toml:1:1: server.public_url: is required"), "{shown:?}");
    assert!(shown[1].starts_with("tidings.toml:2:11: server.listen[0]: 0.0.0.0:8420 can be reached"), "{shown:?}");
    assert!(shown[1].contains("behind-proxy") && shown[1].contains("TLS of our own comes with a later release"));
    server("plaintext = \"behind-proxy\"\npublic_url = \"https://h\"\n").loaded();
    assert!(
        only(&server("plaintext = \"yes\"\npublic_url = \"https://h\"\n").shown().split_off(1)).contains("must be")
    );
    let admin = Site::new("[admin]\nlisten = [\"[::]:8421\"]\n").shown();
    assert!(only(&admin).starts_with("tidings.toml:2:11: admin.listen[0]: [::]:8421 can be reached"), "{admin:?}");
}

#[test]
fn values_have_bounds_on_both_sides() {
    let good_and_bad = [
        ("server", "max_body", ["\"1KiB\"", "\"8MiB\""], ["\"1023B\"", "16777217"]),
        ("server", "max_connections", ["1", "1000000"], ["0", "1000001"]),
        ("server", "header_timeout", ["\"1s\"", "\"1h\""], ["\"999ms\"", "\"1h1ms\""]),
        ("api.polling", "page_size", ["1", "1000"], ["0", "1001"]),
        ("api.polling", "max_wait", ["\"1s\"", "\"60m\""], ["\"0s\"", "\"61m\""]),
        ("api.events", "max_batch", ["\"256KiB\"", "\"64MiB\""], ["\"255KiB\"", "\"65MiB\""]),
        ("auth", "token_lifetime", ["\"1s\"", "\"30d\""], ["\"0s\"", "\"31d\""]),
        ("events", "history", ["\"0s\"", "\"365d\""], ["\"-1s\"", "\"4000d\""]),
        ("events", "ttl", ["{ poll = \"1s\" }", "{ poll = \"366d\" }"], ["{ poll = \"0s\" }", "{ poll = \"367d\" }"]),
        ("limits", "queue_depth", ["1", "1000000000"], ["0", "1000000001"]),
        ("limits", "queue_total", ["1", "1000000000"], ["0", "-1"]),
    ];
    for (section, key, good, bad) in good_and_bad {
        let site = |value: &str| Site::new(&format!("[{section}]\n{key} = {value}\n"));
        for value in good {
            site(value).loaded();
        }
        for value in bad {
            let shown = site(value).shown();
            assert!(only(&shown).starts_with("tidings.toml:2:") && shown[0].contains(key), "{shown:?}");
        }
    }
}

#[test]
fn what_must_hold_between_keys_is_checked() {
    let wrong = [
        ("[api.polling]\nmount = \"/v1\"", "2:9", "api.events.mount: api.polling.mount is \"/v1\" too"),
        ("[api.events]\nmount = \"/problems\"", "2:9", "would hide /problems"),
        ("[api.events]\nmount = \"/v1/\"", "2:9", "must be a path"),
        ("[auth]\ntoken_paths = [\"/v1/token\"]", "2:16", "lies under /v1"),
        ("[auth]\ntoken_paths = [\"/a\", \"/a\"]", "2:22", "is there twice"),
        ("[auth]\ntoken_paths = []", "2:15", "must not be empty"),
        ("[server]\nmax_body = \"16MiB\"", "", "is smaller than server.max_body"),
        ("[server]\nlisten = [\"127.0.0.1:8421\"]", "", "127.0.0.1:8421 is listened on already"),
        ("[server]\npublic_url = \"http://h/\"", "2:14", "must not end with a slash"),
    ];
    for (text, place, message) in wrong {
        let shown = Site::new(text).shown();
        assert!(shown.iter().any(|p| p.contains(message) && p.contains(place)), "{text}: {shown:?}");
    }
    Site::new("[api.polling]\nmount = \"/v1\"\n[api.events]\nenabled = false").loaded();
    Site::new("[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = [\"127.0.0.1:0\"]").loaded();
}

/// A main file with a closed catalogue, a client and one subscription with these lines.
fn subscription(lines: &str) -> Site {
    let catalogue = "[events]\ncatalogue = \"closed\"\n[[event_types]]\nid = \"1\"\n[[event_types]]\nid = \"mail\"\nchannels = [\"email\"]\n";
    Site::new(&format!("{}{catalogue}[[subscriptions]]\nid = \"s\"\n{lines}", with_client(""))).variable("CRM", "x")
}

#[test]
fn subscriptions_are_checked_against_clients_and_catalogue() {
    subscription("client_id = \"crm\"\nevent_types = [\"1\"]\npoll = {}").loaded();
    let wrong = [
        (
            "client_id = \"cmr\"\nevent_types = [\"1\"]\npoll = {}",
            "13:13",
            "there is no client \"cmr\"; did you mean crm?",
        ),
        ("client_id = \"crm\"\nevent_types = [\"2\"]\npoll = {}", "14:16", "there is no event type \"2\""),
        ("client_id = \"crm\"\nevent_types = [\"mail\"]\npoll = {}", "14:16", "is not open to polling"),
        ("client_id = \"crm\"\nevent_types = []\npoll = {}", "14:15", "must not be empty"),
        ("client_id = \"crm\"\nevent_types = [\"1\", \"1\"]\npoll = {}", "14:21", "\"1\" is there twice"),
        ("client_id = \"crm\"\nevent_types = [\"1\"]", "11:1", "write poll = {}"),
        ("client_id = \"crm\"\nevent_types = [\"1\"]\nwebhook = {}", "15:11", "this release can only be polled"),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\npoll = {}\nemail = {}",
            "16:9",
            "this release can only be polled",
        ),
        ("client_id = \"crm\"\nevent_types = [\"1\"]\npoll = { size = 1 }", "15:10", "unknown key"),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\npoll = {}\ncontract = \"trigger\"",
            "16:12",
            "must be \"polling\"",
        ),
    ];
    for (lines, place, message) in wrong {
        let shown = subscription(lines).shown();
        assert!(
            only(&shown).starts_with(&format!("tidings.toml:{place}: ")) && shown[0].contains(message),
            "{shown:?}"
        );
    }
}

#[test]
fn what_may_stand_in_a_broken_file_is_not_called_missing() {
    let site = subscription("client_id = \"erp\"\nevent_types = [\"9\"]\npoll = {}").with("conf.d/a.toml", "nonsense");
    assert!(only(&site.shown()).starts_with("conf.d/a.toml:1:"));
}

#[test]
fn an_unknown_scope_is_a_warning() {
    let site = Site::new(&with_client("scopes = [\"events:publsh\", \"notifications:operate\"]")).variable("CRM", "x");
    let warnings = site.loaded().warnings;
    assert_eq!(warnings.len(), 2);
    assert_eq!((at(&warnings[0]), warnings[0].severity), ((4, 11), Severity::Warning));
    assert_eq!(warnings[0].suggestion.as_deref(), Some("did you mean events:publish?"));
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let mut site = Site::new("");
    site.sources.file = site.path("missing.toml");
    assert!(only(&site.shown()).starts_with("missing.toml: cannot be read: "));
    site.sources.file = site.path(".");
    assert!(site.shown()[0].contains("is not a file"));
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

/// One change to a text, at a place given in thousandths of its length.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, String),
    Delete(usize, usize),
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof!["[\\[\\]{}=.,\"'#\n -]{1,3}", "\\PC{1,4}", "[a-z]{1,8}", "[0-9]{1,30}"];
    prop_oneof![
        (0..1000_usize, piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (0..1000_usize, 1..20_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (0..1000_usize, 1..80_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(text: &str, edit: &Edit) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (Edit::Insert(at, _) | Edit::Delete(at, _) | Edit::Repeat(at, _)) = edit;
    let (before, after) = chars.split_at(chars.len() * at / 1000);
    let cut = |length: &usize| (*length).min(after.len());
    let (middle, after) = match edit {
        Edit::Insert(_, piece) => (piece.chars().collect(), after),
        Edit::Delete(_, length) => (Vec::new(), &after[cut(length)..]),
        Edit::Repeat(_, length) => (after[..cut(length)].to_vec(), after),
    };
    before.iter().copied().chain(middle).chain(after.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_problem_has_a_place(edits in proptest::collection::vec(edit(), 1..6)) {
        let text = edits.iter().fold(SAMPLE.to_owned(), |text, edit| apply(&text, edit));
        let site = Site::new(&text);
        if let Err(problems) = load(&site.sources) {
            prop_assert!(problems.problems.iter().any(|problem| problem.severity == Severity::Error));
            for problem in &problems.problems {
                let built_in = matches!(problem.place, Place::BuiltIn {});
                prop_assert!(!built_in || problem.message.contains("server.max_body"), "{}", problem);
            }
        }
    }
}
