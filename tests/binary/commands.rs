//! The commands against a running appliance, and their exit codes.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use serde_json::Value;

use crate::program::{Ended, Serving, Site};

fn serving() -> (Site, Serving) {
    let site = Site::new();
    let serving = site.serve();
    (site, serving)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn publish_and_poll_hand_an_event_on_as_it_came() {
    let (site, _serving) = serving();
    let data = "{\"n\": 1.50,\n \"user\": {\"id\": \"é\"}}";
    let publish = ["publish", "--client", "crm", "--type", "301", "--id", "e-1", "--source", "/crm", "--data", data];
    let first = site.run(&publish).expect(0);
    assert!(first.stdout.contains("matches 1 subscription, the last until 20"), "{first:?}");
    assert!(site.run(&publish).expect(0).stdout.contains("a repeat"));
    let answer = json(&site.run(&[&publish[..], &["--json"]].concat()).expect(0).stdout);
    assert_eq!(answer["duplicate"], true);

    let polled = site.run(&["poll", "crm-accounts", "--client", "crm", "--consume"]).expect(0).stdout;
    assert_eq!(polled.lines().count(), 1, "{polled}");
    assert!(polled.contains("\"n\":1.50") && polled.contains("\"id\": \"é\""), "{polled}");
    assert_eq!(json(&polled)["id"], "e-1");
    let again = site.run(&["poll", "crm-accounts", "--client", "crm", "--consume", "--json"]).expect(0).stdout;
    assert_eq!(json(&again)["results"], serde_json::json!([]));
}

#[test]
fn data_comes_from_a_file_or_standard_input() {
    let (site, _serving) = serving();
    std::fs::write(site.path("data.json"), "{\"from\": \"file\"}\n").unwrap();
    let file = format!("@{}", site.path("data.json").display());
    site.run(&["publish", "--client", "crm", "--type", "301", "--data", &file]).expect(0);
    let mut command = site.command(&["publish", "--client", "crm", "--type", "301", "--data", "@-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"from\": \"stdin\"}").unwrap();
    Ended::of(&child.wait_with_output().unwrap()).expect(0);
    let polled = site.run(&["poll", "crm-accounts", "--client", "crm", "--consume", "--size", "1000"]).expect(0).stdout;
    let from: Vec<_> = polled.lines().map(|line| json(line)["from"].clone()).collect();
    assert_eq!(from, ["file", "stdin"]);
}

#[test]
fn a_file_of_events_is_published_in_batches() {
    let (site, _serving) = serving();
    let lines: Vec<_> = (0..2500).map(|n| format!("{{\"type\":\"301\",\"data\":{{\"n\":{n}}}}}\n")).collect();
    std::fs::write(site.path("events.ndjson"), lines.concat()).unwrap();
    let file = site.path("events.ndjson").display().to_string();
    let said = site.run(&["publish", &file, "--client", "crm"]).expect(0).stdout;
    assert_eq!(said, "2500 events published: 2500 match a subscription, 0 match none\n");

    let event = r#"{"specversion":"1.0","id":"x","source":"/s","type":"999"}"#;
    let mut command = site.command(&["publish", "-", "--client", "crm", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("[{event},\n{event}]").as_bytes()).unwrap();
    let receipts = Ended::of(&child.wait_with_output().unwrap()).expect(0).stdout;
    let receipts: Vec<_> = receipts.lines().map(json).collect();
    assert_eq!((receipts.len(), &receipts[1]["duplicate"]), (2, &true.into()));

    std::fs::write(site.path("bad"), "{\"type\":\"301\"}\n{\"typ\":\"301\"}\n").unwrap();
    let bad = site.path("bad").display().to_string();
    site.run(&["publish", &bad, "--client", "crm"]).expect(64).says("events 1 to 2").says("/1");
    site.run(&["publish", "/nowhere", "--client", "crm"]).expect(74).says("/nowhere");
    site.run(&["publish", &bad, "--type", "301", "--client", "crm"]).expect(64);
    site.run(&["publish", "--client", "crm"]).expect(64);

    let taken = |size| {
        let arguments = ["poll", "crm-accounts", "--client", "crm", "--consume", "--size", size];
        site.run(&arguments).expect(0).stdout.lines().count()
    };
    assert_eq!([taken("1000"), taken("1000"), taken("1000"), taken("1000")], [1000, 1000, 500, 0]);
}

#[test]
fn every_attribute_of_an_event_can_be_given() {
    let (site, _serving) = serving();
    let arguments = "publish --client crm --type 301 --id a --source /s --subject x --time 2026-01-01T00:00:00Z \
                     --audience 1 --audience 2 --expirytime 2001-01-01T00:00:00Z --json";
    let answer = json(&site.run(&arguments.split_whitespace().collect::<Vec<_>>()).expect(0).stdout);
    // An audience that the client is not of: the event matches nothing.
    assert_eq!(answer["matched"], 0);
}

#[test]
fn an_idempotency_key_gives_the_page_again() {
    let (site, _serving) = serving();
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(0);
    let poll = ["poll", "crm-accounts", "--client", "crm", "--consume", "--idempotency-key", "k", "--wait", "1"];
    let first = site.run(&poll).expect(0).stdout;
    assert_eq!(first.lines().count(), 1);
    assert_eq!(site.run(&poll).expect(0).stdout, first);
}

#[test]
fn a_token_can_be_got_and_used() {
    let (site, _serving) = serving();
    let token = site.run(&["token", "--client", "crm", "--scope", "notification:consent:consumer"]).expect(0).stdout;
    let token = token.trim_end();
    assert_eq!(token.split('.').count(), 3, "{token}");
    let with_token =
        |arguments: &[&str]| Ended::of(&site.command(arguments).env("TIDINGS_TOKEN", token).output().unwrap());
    with_token(&["poll", "crm-accounts", "--consume"]).expect(0);
    with_token(&["publish", "--type", "301"]).expect(77).says("events:publish");
    let answer = json(&site.run(&["token", "--client", "crm", "--json"]).expect(0).stdout);
    assert_eq!(answer["token_type"], "Bearer");
    site.run(&["token", "--client", "reader", "--scope", "events:publish"]).expect(77);
    site.run(&["token", "--client", "nobody"]).expect(78).says("no secret of a client `nobody`");
}

#[test]
fn a_bad_credential_is_not_allowed() {
    let (site, _serving) = serving();
    site.run(&["publish", "--token", "x.y.z", "--type", "301"]).expect(77);
    site.run(&["publish", "--client", "reader", "--type", "301"]).expect(77);
    site.run(&["publish", "--token", "a\nb", "--type", "301"]).expect(64);
}

#[test]
fn another_client_s_subscription_is_not_found() {
    let (site, _serving) = serving();
    site.run(&["poll", "crm-accounts", "--client", "reader", "--consume"]).expect(64).says("does not exist");
}

#[test]
fn an_address_can_be_given_in_place_of_the_configuration_s() {
    let (site, serving) = serving();
    let url = format!("unix:{}", serving.api.display());
    let token = site.run(&["token", "--client", "crm"]).expect(0).stdout;
    let arguments = ["publish", "--config", "/nowhere", "--url", &url, "--token", token.trim_end(), "--type", "301"];
    site.run(&arguments).expect(0);
    site.run(&["publish", "--url", "https://127.0.0.1", "--token", "x", "--type", "301"]).expect(64).says("https");
}

#[test]
fn status_tells_how_it_is() {
    let (site, serving) = serving();
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(0);
    let text = site.run(&["status"]).expect(0).stdout;
    assert!(text.starts_with("well\n") && text.contains("notifications poll queued"), "{text}");
    let report = json(&site.run(&["status", "--json"]).expect(0).stdout);
    assert_eq!((&report["well"], &report["ready"]), (&Value::Bool(true), &Value::Bool(true)));
    let accepted = report["figures"].as_array().unwrap().iter().find(|f| f["name"] == "tidings_events_accepted_total");
    assert_eq!(accepted.unwrap()["value"], 1.0);
    serving.kill_9();
    site.run(&["status"]).expect(69).says("is the appliance running");
}

#[test]
fn verify_recomputes_the_sums_of_a_stopped_appliance() {
    let (site, serving) = serving();
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(0);
    site.run(&["publish", "--client", "crm", "--type", "404"]).expect(0);
    site.run(&["verify"]).expect(75).says("in use by another process");
    serving.kill_9();
    let text = site.run(&["verify"]).expect(0).stdout;
    assert!(text.contains("2 accepted = 1 matched + 1 unmatched") && text.contains("1 created = 1 queued"), "{text}");
    let file = site.path("data/tidings.redb");
    let report = json(&site.run(&["verify", "--json", file.to_str().unwrap()]).expect(0).stdout);
    assert_eq!((&report["ok"], &report["events"]["accepted"]), (&Value::Bool(true), &2.into()));
    site.run(&["verify", "/nowhere/tidings.redb"]).expect(74).says("No such file");
    std::fs::write(&file, "something else").unwrap();
    site.run(&["verify"]).expect(1).says("not a data file that can be read");
}

/// Answers the first words on each connection with `answer`, and reads until the other side ends.
fn listener(answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(answer);
            }
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

#[test]
fn check_online_tries_what_the_files_name() {
    let site = Site::new();
    let keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{keys}", keys.len());
    let (hook, issuer) = (listener(b""), listener(answer.leak().as_bytes()));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = |hook: &str| {
        format!(
            "webhooks.egress = [{{ name = \"plant\", allow = [\"{hook}\"] }}]\n\
             auth.issuers = [{{ issuer = \"i\", jwks = \"http://{issuer}/\", client_ids = [\"p-*\"], scopes = [\"*\"] }}]\n\
             [[event_types]]\nid = \"301\"\n"
        )
    };
    let hooked = |hook: &str| {
        let config = site.configure("hooked.toml", "data", "api.sock", "admin.sock", &more(hook));
        let text = std::fs::read_to_string(&config).unwrap();
        let webhook =
            format!("webhook = {{ url = \"http://{hook}/?key=s3cret\", asymmetric = true, egress = \"plant\" }}");
        std::fs::write(&config, format!("{text}{webhook}\n")).unwrap();
        config.to_str().unwrap().to_owned()
    };
    let text = site.run(&["check", "--online", "--config", &hooked(&hook.to_string())]).expect(0).stdout;
    assert!(text.contains(&format!("http://{hook} under the egress policy plant reached in")), "{text}");
    assert!(text.contains("1 key can be used") && !text.contains("s3cret"), "{text}");
    let bad = site.run(&["check", "--online", "--config", &hooked(&closed.to_string())]).expect(78).stdout;
    assert!(bad.contains("hooked.toml:21:") && bad.contains("subscriptions[0].webhook.url: http://"), "{bad}");
    assert!(bad.contains("not all that it names could be reached (1 error"), "{bad}");
    let report =
        json(&site.run(&["check", "--online", "--json", "--config", &hooked(&closed.to_string())]).expect(78).stdout);
    assert_eq!((&report["ok"], &report["errors"]), (&false.into(), &1.into()), "{report:#}");
    let reached: Vec<_> = report["online"].as_array().unwrap().iter().map(|tried| &tried["reached"]).collect();
    assert_eq!(reached, [true, false]);
    // Without the flag nobody is asked.
    site.run(&["check", "--config", &hooked(&closed.to_string())]).expect(0);
}

#[test]
fn config_show_says_what_counts_and_where_it_comes_from() {
    let site = Site::new();
    let text = site.run(&["config", "show", "--origin"]).expect(0).stdout;
    assert!(text.starts_with("# digest ") && text.contains("page_size = 100  # built-in defaults\n"), "{text}");
    assert!(text.contains(&format!("  # {}:2:12\n", site.path("tidings.toml").display())), "{text}");
    let report = json(&site.run(&["config", "show", "--json"]).expect(0).stdout);
    assert_eq!((&report["values"]["api"]["polling"]["page_size"], &report["origins"]), (&100.into(), &Value::Null));
    assert_eq!(text.lines().next().unwrap().strip_prefix("# digest "), report["digest"].as_str());
    let report = json(&site.run(&["config", "show", "--json", "--origin"]).expect(0).stdout);
    assert_eq!(report["origins"]["data_dir"]["line"], 2);
    let bad = site.configure("bad.toml", "data", "api.sock", "admin.sock", "[sever]\n");
    site.run(&["config", "show", "--config", bad.to_str().unwrap()]).expect(78).says("did you mean server?");
    let schema = json(&site.run(&["config", "schema", "--config", "/nowhere"]).expect(0).stdout);
    assert_eq!(schema["properties"]["api"]["properties"]["polling"]["properties"]["page_size"]["default"], 100);
}

#[test]
fn check_names_what_was_read_and_skipped() {
    let site = Site::new();
    std::fs::create_dir(site.path("conf.d")).unwrap();
    std::fs::write(site.path("conf.d/10-more.toml"), "log.level = \"warn\"\n").unwrap();
    std::fs::write(site.path("conf.d/10-more.toml~"), "nonsense").unwrap();
    let text = site.run(&["check"]).expect(0).stdout;
    assert!(text.contains("conf.d/10-more.toml\n") && text.contains("skipped"), "{text}");
    assert!(text.contains("the configuration can be used"), "{text}");
    let report = json(&site.run(&["check", "--json"]).expect(0).stdout);
    assert_eq!(report["files_read"].as_array().unwrap().len(), 2);
    assert_eq!(report["files_skipped"].as_array().unwrap().len(), 1);
}

#[test]
fn wrong_usage_is_64_and_help_is_none() {
    let site = Site::new();
    for wrong in [
        "",
        "bogus",
        "serve --bogus",
        "publish",
        "poll",
        "poll s --consume --size 0",
        "token",
        "keygen --bogus",
        "openapi",
    ] {
        let arguments: Vec<_> = wrong.split_whitespace().collect();
        let ended = site.run(&arguments).expect(64);
        assert_eq!(ended.stdout, "", "{wrong}");
        assert!(!ended.stderr.is_empty(), "{wrong}");
    }
    site.run(&["publish", "--client", "crm", "--type", "301", "--data", "{"]).expect(64).says("--data is not JSON");
    site.run(&["publish", "--client", "crm", "--type", "301", "--data", "@/nowhere"]).expect(74).says("/nowhere");
    site.run(&["publish", "--type", "301"]).expect(64).says("say who acts");
    // Without --consume or --ack it peeks, through the admin listener.
    site.run(&["poll", "s", "--client", "crm"]).expect(69).says("admin.sock");
    site.run(&["openapi", "bogus"])
        .expect(64)
        .says("polling, events, recipients, registrations, management, trigger, root, admin, operator");
    for help in ["--help", "--version", "help", "poll --help"] {
        let ended = site.run(&help.split(' ').collect::<Vec<_>>()).expect(0);
        assert_eq!(ended.stderr, "", "{help}");
        assert!(ended.stdout.contains("tidings"), "{help}");
    }
}

#[test]
fn an_appliance_that_does_not_run_is_unreachable() {
    let site = Site::new();
    site.run(&["publish", "--client", "crm", "--type", "301"]).expect(69).says("is the appliance running");
    site.run(&["token", "--client", "crm"]).expect(69);
    site.run(&["poll", "crm-accounts", "--token", "x", "--consume"]).expect(69);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let site = Site::new();
    for arguments in [&["check"][..], &["check", "--json"], &["--help"], &["--version"]] {
        let mut child = site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Ended::of(&child.wait_with_output().unwrap()).expect(0);
    }
}
