//! Bounds, and what must hold between keys.

use tidings::config::Severity;

use crate::site::{Site, at, only, with_client};

#[test]
fn addresses_that_others_reach_need_tls_or_a_proxy_and_a_url() {
    let server = |more: &str| Site::new(&format!("[server]\nlisten = [\"0.0.0.0:8420\"]\n{more}"));
    let shown = server("").shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[0].starts_with("tidings.toml:1:1: server.public_url: is required"), "{shown:?}");
    assert!(shown[1].starts_with("tidings.toml:2:11: server.listen[0]: 0.0.0.0:8420 can be reached"), "{shown:?}");
    assert!(shown[1].contains("behind-proxy") && shown[1].contains("write server.tls = {"));
    server("plaintext = \"behind-proxy\"\npublic_url = \"https://h\"\n").loaded();
    assert!(
        only(&server("plaintext = \"yes\"\npublic_url = \"https://h\"\n").shown().split_off(1)).contains("must be")
    );
    let slash = server("plaintext = \"behind-proxy\"\npublic_url = \"https://h/\"\n").shown();
    assert!(only(&slash).contains("must not end with a slash"), "it is there: {slash:?}");
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
        ("api.registrations", "created_status", ["200", "201"], ["199", "202"]),
        ("api.registrations", "secret_lifetime", ["\"1d\"", "\"3660d\""], ["\"23h\"", "\"3661d\""]),
        ("api.registrations", "rotation_overlap", ["\"0s\"", "\"30d\""], ["\"31d\"", "1"]),
        ("api.management", "replay_max", ["1", "100000"], ["0", "100001"]),
        ("api.trigger", "repeat_window", ["\"0s\"", "\"7d\""], ["\"-1s\"", "\"8d\""]),
        ("auth", "token_lifetime", ["\"1s\"", "\"30d\""], ["\"0s\"", "\"31d\""]),
        ("events", "history", ["\"0s\"", "\"365d\""], ["\"-1s\"", "\"4000d\""]),
        ("events", "ttl", ["{ poll = \"1s\" }", "{ poll = \"366d\" }"], ["{ poll = \"0s\" }", "{ poll = \"367d\" }"]),
        ("limits", "queue_depth", ["1", "1000000000"], ["0", "1000000001"]),
        ("limits", "queue_total", ["1", "1000000000"], ["0", "-1"]),
        ("limits", "disk_reserve", ["0", "\"1024TiB\""], ["-1", "\"1025TiB\""]),
        ("limits", "clock_leap", ["\"1s\"", "\"1d\""], ["\"999ms\"", "\"25h\""]),
        ("limits", "request_rate", ["\"1/h\"", "\"unlimited\""], ["\"0/s\"", "100"]),
        ("limits", "token_rate", ["\"1000000/s\"", "\"unlimited\""], ["\"1000001/s\"", "\"\""]),
        ("limits", "auth_failures", ["\"1/min\"", "\"10/h\""], ["\"unlimited\"", "\"10/m\""]),
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
        (
            "[api.management]\nenabled = true\nmount = \"/v1\"",
            "3:9",
            "api.events.mount is \"/v1\" too (built-in defaults)",
        ),
        ("[api.recipients]\nenabled = true\nmount = \"/oauth2\"", "3:9", "would hide /oauth2/revoke"),
        ("[api.trigger]\nenabled = true\naliases = [\"/v1\"]", "3:12", "api.events.mount is \"/v1\" too"),
        ("[api.trigger]\nenabled = true\naliases = [\"/problems/x\"]", "3:12", "served under /problems"),
        ("[api.trigger]\nenabled = true\n[auth]\ntoken_paths = [\"/notification\"]", "4:16", "api.trigger.aliases too"),
        (
            "[api.trigger]\nenabled = true\n[auth]\ntoken_paths = [\"/v2/notification/t\"]",
            "4:16",
            "lies under /v2/notification",
        ),
        ("[api.registrations]\nproof = \"header\"", "1:1", "the required key proof_header is missing"),
        ("[api.registrations]\nproof_header = \"a b\"", "2:16", "must be the name of a header"),
        ("[api.registrations]\nproof_header = \"Webhook-Id\"", "2:16", "means something else"),
        ("[api.management]\ntime_zone = \"Pacific/Aukland\"", "2:13", "did you mean Pacific/Auckland?"),
        ("[api.management]\nscopes = { read = \"a b\" }", "2:19", "must be one scope"),
        (
            "[[event_types]]\nid = \"1\"\nchannels = [\"poll\"]\nmandatory = [\"email\"]",
            "4:13",
            "channels leaves that out",
        ),
        (
            "[[event_types]]\nid = \"1\"\ncontracts = [\"polling\"]\nmandatory = [\"email\"]",
            "4:13",
            "contracts leaves them out",
        ),
        ("[[event_types]]\nid = \"1\"\nmandatory = [\"poll\"]", "3:14", "must be \"webhook\" or \"email\""),
        ("[[event_types]]\nid = \"1\"\nattributes = [\"__not__\"]", "3:15", "__not__ negates"),
        ("[api.events]\nmount = \"/problems\"", "2:9", "would hide /problems"),
        ("[api.events]\nmount = \"/health\"", "2:9", "would hide /health, which is served on the admin listener"),
        ("[api.events]\nmount = \"/v1/\"", "2:9", "must be a path"),
        ("[auth]\ntoken_paths = [\"/v1/token\"]", "2:16", "lies under /v1"),
        ("[auth]\ntoken_paths = [\"/a\", \"/a\"]", "2:22", "is there twice"),
        ("[auth]\ntoken_paths = []", "2:15", "must not be empty"),
        ("[auth]\ntoken_paths = [\"/oauth2/revoke\"]", "2:16", "lies under /oauth2/revoke"),
        ("[auth]\ntoken_paths = [\"/oauth2/jwks/x\"]", "2:16", "lies under /oauth2/jwks"),
        ("[api.events]\nmount = \"/oauth2\"", "2:9", "would hide /oauth2/revoke"),
        ("[server]\nmax_body = \"16MiB\"", "", "is smaller than server.max_body"),
        ("[server]\nlisten = [\"127.0.0.1:8421\"]", "", "127.0.0.1:8421 is listened on already"),
        ("[server]\npublic_url = \"http://h/\"", "2:14", "must not end with a slash"),
    ];
    for (text, place, message) in wrong {
        let shown = Site::new(text).shown();
        assert!(shown.iter().any(|p| p.contains(message) && p.contains(place)), "{text}: {shown:?}");
    }
    Site::new("[api.polling]\nmount = \"/v1\"\n[api.events]\nenabled = false").loaded();
    // What is switched off takes no place.
    Site::new("[api.management]\nmount = \"/v1\"\n[api.trigger]\naliases = [\"/v1\"]").loaded();
    // An exact path may lie above or below a mount.
    Site::new("[api.trigger]\nenabled = true\naliases = [\"/notification\", \"/notification/v1/x\"]").loaded();
    Site::new("[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = [\"127.0.0.1:0\"]").loaded();
}

/// A main file with a closed catalogue, a client and one subscription with these lines.
fn subscription(lines: &str) -> Site {
    let catalogue = "[events]\ncatalogue = \"closed\"\n[[event_types]]\nid = \"1\"\n[[event_types]]\nid = \"mail\"\nchannels = [\"email\"]\n";
    let policy = "[[webhooks.egress]]\nname = \"default\"\nallow = [\"public:443\"]";
    let text = format!("{}{catalogue}[[subscriptions]]\nid = \"s\"\n{lines}\n{policy}", with_client(""));
    Site::new(&text).variable("CRM", "x")
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
        ("client_id = \"crm\"\nevent_types = [\"mail\"]\npoll = {}", "14:16", "is not open to poll"),
        ("client_id = \"crm\"\nevent_types = []\npoll = {}", "14:15", "must not be empty"),
        ("client_id = \"crm\"\nevent_types = [\"1\", \"1\"]\npoll = {}", "14:21", "\"1\" is there twice"),
        ("client_id = \"crm\"\nevent_types = [\"1\"]", "11:1", "write poll = {}"),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\nwebhook = { url = \"https://h/\" }",
            "15:11",
            "its requests would not be signed",
        ),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\nwebhook = { url = \"ftp://h/\", asymmetric = true }",
            "15:19",
            "must begin with https://",
        ),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\nwebhook = { url = \"https://h/\", asymmetric = true, egress = \"x\" }",
            "15:61",
            "there is no egress policy \"x\"",
        ),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\nemail = { to = [\"a@h\"] }",
            "15:16",
            "there is no mail without [email]",
        ),
        ("client_id = \"crm\"\nevent_types = [\"1\"]\npoll = { size = 1 }", "15:10", "unknown key"),
        (
            "client_id = \"crm\"\nevent_types = [\"1\"]\npoll = {}\ncontract = \"trigger\"",
            "16:12",
            "customers are declared in [[customers]]",
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
    let site = Site::new(&with_client("scopes = [\"events:publsh\", \"notifications:operate\", \"of:mine\"]"))
        .variable("CRM", "x");
    let warnings = site.loaded().warnings;
    assert_eq!(warnings.len(), 2);
    assert_eq!((at(&warnings[0]), warnings[0].severity), ((4, 11), Severity::Warning));
    assert_eq!(warnings[0].suggestion.as_deref(), Some("did you mean events:publish?"));
}

/// The warnings of a main file that can be used, without the directory.
fn warnings(text: &str) -> Vec<String> {
    let site = Site::new(text).variable("CRM", "x");
    let directory = format!("{}/", site.path("").display().to_string().trim_end_matches('/'));
    site.loaded().warnings.iter().map(|warning| warning.to_string().replace(&directory, "")).collect()
}

#[test]
fn a_schedule_that_is_cut_by_a_ttl_is_a_warning() {
    assert_eq!(warnings("[webhooks]\nschedule = [\"47h\", \"1h\"]\n[events]\nttl = { webhook = \"2d\" }"), [""; 0]);
    let general =
        warnings("[events]\nttl = { webhook = \"2h\" }\n[[event_types]]\nid = \"1\"\nttl = { webhook = \"1h\" }");
    assert_eq!(
        general,
        [
            "tidings.toml:2:19: warning: events.ttl.webhook: what waits for webhook ends after 2h, and webhooks.schedule goes \
             on for 3d3h35m5s: 4 of its 10 attempts are made; shorten webhooks.schedule, or lengthen the ttl"
        ]
    );
    let schedule = warnings("[webhooks]\nschedule = [\"3d\", \"3d\"]");
    assert!(only(&schedule).starts_with("tidings.toml:2:12: warning: webhooks.schedule: what waits"), "{schedule:?}");
    assert!(schedule[0].contains("after 4d") && schedule[0].contains("2 of its 3 attempts"), "{schedule:?}");
    let mail = "[email]\nfrom = \"a@h.example\"\nrelay = \"smtp://localhost\"\n";
    let types =
        "[[event_types]]\nid = \"1\"\nttl = { email = \"1h\" }\n[[event_types]]\nid = \"2\"\nttl.email = \"5s\"\n";
    let own = warnings(&format!("{mail}{types}"));
    assert!(only(&own).starts_with("tidings.toml:6:17: warning: event_types[0].ttl.email: "), "{own:?}");
    assert!(own[0].contains("so it is with 1 other"), "{own:?}");
    assert_eq!(warnings(types), [""; 0], "there is no mail");
}

#[test]
fn what_is_for_a_contract_that_is_switched_off_is_a_warning() {
    const OFF: &str = "[api]\npolling.enabled = false\nevents.enabled = false\n";
    let scopes = "scopes = [\"events:publish\", \"notification:consent:consumer\", \"notifications:operate\", \"notification:consent:administrator\"]\n";
    assert_eq!(warnings(&with_client(scopes)), [""; 0]);
    let clients = warnings(&(with_client(scopes) + OFF));
    assert_eq!(clients.len(), 3, "{clients:?}");
    assert_eq!(
        clients[0],
        "tidings.toml:4:11: warning: clients[0].scopes[0]: the scope \"events:publish\" is good for nothing: \
         api.events.enabled is false; enable the contract, or leave the scope out"
    );
    let one = warnings(&(with_client(scopes) + "[api.polling]\nenabled = false"));
    assert!(only(&one).contains("clients[0].scopes[3]"), "the safe poll asks for the others: {one:?}");
    let issuer = "[[auth.issuers]]\nissuer = \"https://i/\"\njwks = \"https://i/jwks\"\nclient_ids = [\"p-*\"]\n\
                  scopes = [\"notification:consent:*\", \"*\"]\ncontracts = [\"polling\", \"events\", \"trigger\"]\n";
    let issuers = warnings(&(issuer.to_owned() + OFF));
    assert_eq!(issuers.len(), 3, "{issuers:?}");
    assert!(issuers[0].contains("auth.issuers[0].scopes[0]: the scope \"notification:consent:*\" is good for nothing"));
    assert!(issuers[1].contains("contracts[0]: the contract \"polling\" is not served"), "{issuers:?}");
    assert!(only(&warnings(issuer)).contains("contracts[2]: the contract \"trigger\" is not served"));
}
