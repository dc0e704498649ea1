//! Files, `conf.d`, environment and flags: what is read, what wins, and where problems are said to be.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use tidings::config::{Flag, load};

use crate::site::{Site, at, only, with_client};

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
fn programs_are_told_of_files_whose_names_are_not_utf_8() {
    let site = Site::new("").with("conf.d/a.toml", "");
    for name in [&b"\xff.toml"[..], b"\xff.toml~"] {
        fs::write(site.path("conf.d").join(OsStr::from_bytes(name)), "levle = 1").unwrap();
    }
    let json = serde_json::to_value(load(&site.sources).unwrap_err()).unwrap();
    let named = [&json["problems"][0]["file"], &json["files_read"][2], &json["files_skipped"][0]["file"]];
    assert!(named.iter().all(|name| name.as_str().unwrap().contains("conf.d/\u{fffd}.toml")), "{json}");
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
        "a.json~",
        "a.yaml",
    ];
    let site = names.iter().fold(Site::new(""), |site, name| site.with(&format!("conf.d/{name}"), "nonsense"));
    fs::create_dir(site.path("conf.d/dir.toml")).unwrap();
    let loaded = site.loaded();
    assert_eq!(loaded.files_skipped.len(), names.len() + 1, "{:?}", loaded.files_skipped);
    assert_eq!(loaded.files_read.len(), 1);
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
