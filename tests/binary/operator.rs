//! The operator's commands against a running appliance.

use std::process::Stdio;

use serde_json::Value;

use crate::program::{Ended, Serving, Site};
use crate::wire::post;

fn serving() -> (Site, Serving) {
    let site = Site::new();
    let serving = site.serve();
    (site, serving)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Runs the command line, whose words have no blanks in them, to its end.
fn run(site: &Site, line: &str) -> Ended {
    site.run(&line.split_whitespace().collect::<Vec<_>>())
}

/// Publishes an event of this type and answers its id.
fn publish(site: &Site, event_type: &str) -> String {
    let answer = run(site, &format!("publish --client crm --type {event_type} --json")).expect(0);
    json(&answer.stdout)["id"].as_str().unwrap().to_owned()
}

/// Makes a subscription of this client through the polling contract and answers its id.
fn subscribe(site: &Site, serving: &Serving, client: &str) -> String {
    let token = run(site, "token --client ops").expect(0).stdout;
    let body = format!(r#"{{"event_type_ids":["301"],"client_id":"{client}"}}"#);
    let authorization = format!("Bearer {}", token.trim_end());
    let answer = serving.send(&post("/notification/v1/subscriptions", &authorization, "application/json", &body));
    answer.json(201)["id"].as_str().unwrap().to_owned()
}

#[test]
fn subscriptions_are_listed_paused_and_resumed() {
    let (site, serving) = serving();
    let made = subscribe(&site, &serving, "reader");
    publish(&site, "301");
    let listed = run(&site, "subscriptions").expect(0).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("crm-accounts") && listed.contains("waiting 1, leased 0, held 0"), "{listed}");
    assert!(run(&site, "subscriptions --client reader").expect(0).stdout.starts_with(&made));
    let one = run(&site, "subscriptions crm-accounts").expect(0).stdout;
    assert!(one.contains("event types      301\n") && one.contains("1 created = 1 queued"), "{one}");
    let report = json(&run(&site, "subscriptions --json").expect(0).stdout);
    assert_eq!(report["subscriptions"].as_array().unwrap().len(), 2);

    assert!(run(&site, "pause crm-accounts").expect(0).stdout.starts_with("crm-accounts is held (paused since 20"));
    let held = run(&site, "subscriptions --held").expect(0).stdout;
    assert!(held.starts_with("crm-accounts") && held.contains(", paused since 20"), "{held}");
    assert!(run(&site, "status").expect(0).stdout.contains("held: crm-accounts (paused since 20"));
    assert_eq!(json(&run(&site, "status --json").expect(0).stdout)["held"][0]["id"], "crm-accounts");
    let resumed = json(&run(&site, "resume crm-accounts --json").expect(0).stdout);
    assert_eq!(resumed["holds"], Value::Array(Vec::new()));
    assert_eq!(run(&site, "subscriptions --held").expect(0).stdout, "");
    run(&site, "subscriptions nobody-s").expect(64).says("no such subscription");
    run(&site, "pause nobody-s").expect(64).says("no such subscription");
    run(&site, "pause").expect(64);
    run(&site, "subscriptions crm-accounts --held").expect(64);
}

#[test]
fn a_purge_deletes_what_a_client_has_made_if_that_is_meant() {
    let (site, serving) = serving();
    let made = subscribe(&site, &serving, "crm");
    run(&site, "purge --client crm").expect(64).says("add --yes");
    let dry = run(&site, "purge --client crm --dry-run").expect(0).stdout;
    assert_eq!(dry, format!("would delete 1 subscription, for which 0 notifications wait\n  {made}\n"));
    assert_eq!(run(&site, "subscriptions --client crm").expect(0).stdout.lines().count(), 2);
    let done = json(&run(&site, "purge --client crm --yes --json").expect(0).stdout);
    assert_eq!((&done["ended"], &done["dryRun"]), (&Value::from(1), &Value::from(false)));
    let left = run(&site, "subscriptions --client crm").expect(0).stdout;
    assert!(left.starts_with("crm-accounts ") && left.lines().count() == 1, "{left}");
    run(&site, "purge --client crm --yes --dry-run").expect(64);
    run(&site, "purge --yes").expect(64);
}

#[test]
fn over_tcp_a_token_of_the_operator_s_scope_is_needed() {
    let site = Site::new();
    let listen = format!("[\"unix:{}\", \"127.0.0.1:0\"]", site.path("admin.sock").display());
    let serving = site.serve_with("TIDINGS__ADMIN__LISTEN", &listen);
    let log = serving.log();
    let port: String = log.rsplit("127.0.0.1:").next().unwrap().chars().take_while(char::is_ascii_digit).collect();
    let admin = format!("http://127.0.0.1:{port}");
    let subscriptions = |more: &str| run(&site, &format!("subscriptions --admin {admin} {more}"));
    subscriptions("").expect(64).says("--as CLIENT");
    subscriptions("--as crm").expect(77).says("notifications:operate");
    subscriptions("--token x.y.z").expect(77);
    assert!(subscriptions("--as ops").expect(0).stdout.starts_with("crm-accounts"));
    let token = run(&site, "token --client ops").expect(0).stdout;
    let mut command = site.command(&["pause", "crm-accounts", "--admin", &admin]);
    Ended::of(&command.env("TIDINGS_TOKEN", token.trim_end()).output().unwrap()).expect(0);
    let socket = format!("unix:{}", site.path("admin.sock").display());
    run(&site, &format!("resume crm-accounts --config /nowhere --admin {socket}")).expect(0);
}

#[test]
fn what_cannot_be_taken_back_has_to_be_meant() {
    let site = Site::new();
    // Nothing runs: what is refused before anybody is asked is refused without it.
    for verb in ["replay", "cancel"] {
        run(&site, verb).expect(64).says("an id, or at least one of the filters");
        run(&site, &format!("{verb} --limit 5 --yes")).expect(64).says("an id, or at least one of the filters");
        run(&site, &format!("{verb} --state failed")).expect(64).says("add --yes");
        run(&site, &format!("{verb} 0198f0c2-1111-7000-8000-000000040001")).expect(64).says("add --yes");
        run(&site, &format!("{verb} x --state failed --yes")).expect(64);
        run(&site, &format!("{verb} --state failed --limit 0 --yes")).expect(64);
        run(&site, &format!("{verb} --state queued --dry-run")).expect(69).says("is the appliance running");
        let help = run(&site, &format!("{verb} --help")).expect(0).stdout;
        assert!(help.contains("answer-unconfirmed") && help.contains("--dry-run"), "{help}");
    }
    run(&site, "explain x").expect(64).says("no id of an event or a notification");
    run(&site, "explain 0198f0c2-1111-7000-8000-000000040001").expect(69);
}

#[test]
fn a_clock_that_is_trusted_has_nothing_to_be_accepted() {
    let (site, _serving) = serving();
    run(&site, "clock accept").expect(64).says("add --yes");
    for how in ["--yes", "--dry-run"] {
        let said = run(&site, &format!("clock accept {how}")).expect(0).stdout;
        assert_eq!(said, "the clock is not in doubt: there is nothing to accept\n", "{how}");
    }
    assert_eq!(run(&site, "clock accept --yes --json").expect(0).stdout, "{\"accepted\":false}\n");
    assert_eq!(run(&site, "clock accept --dry-run --json").expect(0).stdout, "{\"inDoubt\":false}\n");
    run(&site, "clock").expect(64);
}

#[test]
fn suppressed_addresses_are_shown_and_lifted() {
    let (site, _serving) = serving();
    assert_eq!(run(&site, "suppressions").expect(0).stdout, "");
    assert_eq!(json(&run(&site, "suppressions --json").expect(0).stdout)["suppressions"], Value::Array(Vec::new()));
    let lifted = run(&site, "suppressions --lift jane@example.com").expect(0).stdout;
    assert_eq!(lifted, "jane@example.com was not suppressed: there is nothing to lift\n");
    assert_eq!(run(&site, "suppressions --lift jane@example.com --json").expect(0).stdout, "{\"lifted\":false}\n");
    run(&site, "suppressions --lift jane").expect(64).says("no mail address");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let (site, _serving) = serving();
    for arguments in [&["subscriptions"][..], &["subscriptions", "--json"], &["subscriptions", "crm-accounts"]] {
        let mut child = site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Ended::of(&child.wait_with_output().unwrap()).expect(0);
    }
}
