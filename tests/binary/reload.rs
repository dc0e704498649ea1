//! Reloading, planning and the last good configuration, as the program's commands and signals have it.

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{SECRET, Site, there};

const OTHER: &str = "[[subscriptions]]\nid = \"other\"\nclient_id = \"crm\"\nevent_types = [\"404\"]\npoll = {}\n";

/// Writes the site's files with `more` in them.
fn write(site: &Site, more: &str) {
    site.configure("tidings.toml", "data", "api.sock", "admin.sock", more);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What `tidings status` reports of the configuration.
fn status(site: &Site) -> Value {
    let ended = site.run(&["status", "--json"]).expect(0);
    json(&ended.stdout)["configuration"].clone()
}

#[test]
fn a_reload_waits_and_says_what_is_changed_or_why_nothing_is() {
    let site = Site::new();
    let serving = site.serve();
    let same = site.run(&["reload"]).expect(0);
    assert!(same.stdout.contains("nothing is changed"), "{same:?}");
    site.run(&["plan"]).expect(0);

    write(&site, OTHER);
    let plan = site.run(&["plan"]).expect(1);
    assert!(plan.stdout.contains("+ subscriptions other (") && plan.stdout.contains("1 created"), "{plan:?}");
    let reloaded = site.run(&["reload", "--json"]).expect(0);
    assert_eq!(json(&reloaded.stdout)["subscriptions"]["created"], 1);
    site.run(&["plan"]).expect(0);
    let before = status(&site);
    assert_eq!(before["digest"], before["disk"]["digest"]);

    write(&site, "[[subscriptions]]\nid = \"other\"\nclientid = \"crm\"\n[limits]\nqueue_depth = \"many\"\n");
    for command in ["reload", "plan"] {
        let refused = site.run(&[command]).expect(78).says("clientid").says("queue_depth").says("tidings.toml:");
        assert_eq!(refused.stdout, "", "{command}");
    }
    let shown = status(&site);
    assert_eq!((&shown["digest"], shown["disk"].get("digest")), (&before["digest"], None));
    assert_eq!(shown["last_reload"]["successful"], false);
    let text = site.run(&["status"]).expect(0).stdout;
    assert!(text.contains("configuration on disk") && text.contains("cannot be used"), "{text}");
    assert!(text.contains("bad_configuration"), "{text}");

    serving.signal(Signal::HUP);
    serving.until_logged("the reload was refused: nothing was changed");
    write(&site, "");
    serving.signal(Signal::HUP);
    serving.until("/health/ready", |body| !body.contains("bad_configuration"));
    assert_eq!(status(&site)["last_reload"]["by"], "signal");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
    site.run(&["reload"]).expect(69);
}

#[test]
fn a_plan_is_made_of_the_data_file_where_nothing_runs() {
    let site = Site::new();
    let first = site.run(&["plan"]).expect(1);
    assert!(first.stdout.contains("+ clients crm") && first.stdout.contains("1 created"), "{first:?}");
    assert!(first.stdout.contains("[server]") && !first.stdout.contains("restart"), "a start goes by all: {first:?}");
    assert!(!there(&site.path("data")), "nothing is made");
    assert!(!first.stdout.contains("page_size") && first.stdout.contains("a start would change this"), "{first:?}");
    let serving = site.serve();
    let publish = site.run(&["publish", "--client", "crm", "--type", "301", "--data", "{}"]);
    publish.expect(0);
    serving.kill_9();
    site.run(&["plan"]).expect(0).says("no appliance runs");
    write(&site, "");
    let file = site.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("[[subscriptions]]").unwrap();
    std::fs::write(&file, &text[..at]).unwrap();
    let plan = site.run(&["plan", "--json"]).expect(1);
    let plan = json(&plan.stdout);
    assert_eq!(plan["subscriptions"]["drained"], 1);
    let gone = plan["differences"].as_array().unwrap().iter().find(|d| d["id"] == "crm-accounts").unwrap();
    assert_eq!((&gone["waiting"], &gone["on_remove"]), (&1.into(), &"drain".into()));
    let text = site.run(&["plan"]).expect(1).stdout;
    assert!(text.contains("- subscriptions crm-accounts"), "{text}");
    assert!(text.contains("1 waiting notifications are still delivered, or expire"), "{text}");
    std::fs::write(&file, "no TOML").unwrap();
    site.run(&["plan"]).expect(78);
}

#[test]
fn the_last_good_configuration_runs_if_the_files_are_bad_at_a_start() {
    let site = Site::new();
    write(&site, OTHER);
    let serving = site.serve();
    let good = status(&site)["digest"].clone();
    serving.kill_9();
    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("{text}\nqueue_dept = 1\n[limits\n")).unwrap();

    let serving = site.serve();
    let log = serving.log();
    assert!(log.contains("the last good configuration runs in their stead"), "{log}");
    let shown = status(&site);
    assert_eq!((&shown["digest"], &shown["source"]), (&good, &"last-good".into()));
    let metrics = serving.admin("/metrics").unwrap().body;
    assert!(metrics.contains("\ntidings_config_last_good 1\n"), "{metrics}");
    assert!(metrics.contains("\ntidings_config_last_reload_successful 0\n"), "{metrics}");
    serving.until("/health/ready", |body| body.contains("not TOML") && body.contains("the last good one runs"));
    // Who runs it is not locked out meanwhile.
    let listed = site.run(&["subscriptions"]).expect(0).says("going by the last configuration that ran");
    assert!(listed.stdout.contains("other"), "{listed:?}");
    site.run(&["publish", "--client", "crm", "--type", "404", "--data", "{}"]).expect(0);
    site.run(&["reload"]).expect(78).says("not TOML");
    std::fs::write(site.config(), text).unwrap();
    let reloaded = site.run(&["reload"]).expect(0);
    assert!(reloaded.stdout.contains("reloaded"), "{reloaded:?}");
    assert_eq!(status(&site)["source"], "files");
    assert!(serving.admin("/metrics").unwrap().body.contains("\ntidings_config_last_good 0\n"));
}

#[test]
fn what_cannot_be_brought_in_at_a_start_leaves_the_last_good_configuration_running() {
    let site = Site::new();
    let serving = site.serve();
    let made = site.run(&["token", "--client", "ops"]).expect(0).stdout;
    let body = r#"{"event_type_ids": ["301"], "client_id": "crm"}"#;
    let request = format!(
        "POST /notification/v1/subscriptions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        made.trim(),
        body.len()
    );
    let id = serving.send(&request).json(201)["id"].as_str().unwrap().to_owned();
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
    write(&site, &OTHER.replace("other", &id));
    let serving = site.serve();
    let log = serving.log();
    assert!(log.contains(&id) && log.contains("the last good configuration runs in their stead"), "{log}");
    assert_eq!(status(&site)["source"], "last-good");
}

#[test]
fn who_does_not_want_that_is_not_started_with_bad_files() {
    let site = Site::new();
    let serving = site.serve();
    serving.kill_9();
    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("on_bad_configuration = \"refuse\"\n{text}\n[sever]\n")).unwrap();
    site.run(&["serve"]).expect(78).says("sever");
    std::fs::write(site.config(), format!("{text}\n[sever]\n")).unwrap();
    let mut command = site.command(&["serve"]);
    let output = command.env("TIDINGS__ON_BAD_CONFIGURATION", "refuse").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let kept = std::fs::read_to_string(site.path("data/last-good.toml")).unwrap();
    assert!(kept.contains("sealed = ") && !kept.contains(SECRET), "{kept}");
    std::fs::write(site.path("data/last-good.toml"), "[sever]\n").unwrap();
    site.run(&["serve"]).expect(78).says("the last good configuration cannot be used either");
    std::fs::remove_file(site.path("data/last-good.toml")).unwrap();
    site.run(&["serve"]).expect(78).says("sever");
}

#[test]
fn files_that_change_are_read_again_where_they_say_so() {
    let site = Site::new();
    let on_change = |more: &str| {
        write(&site, more);
        let text = std::fs::read_to_string(site.config()).unwrap();
        std::fs::write(site.config(), format!("reload_on_change = true\n{text}")).unwrap();
    };
    on_change("");
    let serving = site.serve();
    on_change(OTHER);
    serving.until("/metrics", |body| body.contains("\ntidings_subscriptions 2\n"));
    on_change("[sever]\n");
    serving.until("/health/ready", |body| body.contains("sever"));
    std::fs::create_dir(site.path("conf.d")).unwrap();
    on_change(OTHER);
    let more = OTHER.replace("other", "more");
    std::fs::write(site.path("conf.d/10-more.toml"), more).unwrap();
    serving.until("/metrics", |body| body.contains("\ntidings_subscriptions 3\n"));
    assert_eq!(status(&site)["last_reload"]["by"], "change");
    // What bad files name may come later than they do.
    let secret = site.path("late");
    let guest = "[[clients]]\nid = \"guest\"\nscopes = []\nsecret = { file =";
    let more = format!("{guest} \"{}\" }}\n{OTHER}", secret.display());
    std::fs::write(site.path("conf.d/10-more.toml"), more.replace("other", "more")).unwrap();
    serving.until("/health/ready", |body| body.contains("cannot be read"));
    std::fs::write(&secret, "s3cret").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    serving.until("/health/ready", |body| !body.contains("cannot be read"));
    site.run(&["plan"]).expect(0);
}

#[test]
fn ten_thousand_declared_subscriptions_are_planned_and_reloaded_in_few_words() {
    let site = Site::new();
    let many = site.path("conf.d/many.toml");
    let one =
        |n| format!("[[subscriptions]]\nid = \"s-{n}\"\nclient_id = \"crm\"\npoll = {{}}\nevent_types = [\"404\"]\n");
    std::fs::create_dir(site.path("conf.d")).unwrap();
    let serving = site.serve();
    std::fs::write(&many, (0..10_000).map(one).collect::<String>()).unwrap();
    let plan = site.run(&["plan"]).expect(1).stdout;
    assert!(plan.contains("10000 created") && plan.lines().count() < 150, "{plan}");
    let reloaded = site.run(&["reload"]).expect(0).stdout;
    assert!(reloaded.contains("10000 created") && reloaded.lines().count() < 10, "{reloaded}");
    serving.kill_9();
    let serving = site.serve();
    assert!(serving.log().contains("created=0 updated=0"), "{}", serving.log());
    site.run(&["publish", "--client", "crm", "--type", "404", "--data", "{}"]).expect(0);
    std::fs::remove_file(&many).unwrap();
    let plan = site.run(&["plan"]).expect(1).stdout;
    assert!(
        plan.contains("10000 entries of subscriptions are removed in all, with 10000 waiting notifications"),
        "{plan}"
    );
    assert!(plan.lines().count() < 150, "{plan}");
    let plan = json(&site.run(&["plan", "--json"]).expect(1).stdout);
    assert_eq!(plan["differences"].as_array().unwrap().len(), 10_000);
    site.run(&["reload"]).expect(0);
}

#[test]
fn the_appliance_that_runs_is_found_while_its_address_waits_for_a_restart() {
    let site = Site::new();
    let _serving = site.serve();
    // The name of another socket, and an address that nobody listens on.
    for other in [format!("unix:{}", site.path("later.sock").display()), "127.0.0.1:1".to_owned()] {
        write(&site, "");
        let text = std::fs::read_to_string(site.config()).unwrap();
        let running = format!("unix:{}", site.path("admin.sock").display());
        std::fs::write(site.config(), text.replace(&running, &other)).unwrap();
        let reloaded = site.run(&["reload", "--json"]).expect(0).stdout;
        assert_eq!(json(&reloaded)["restart"], serde_json::json!(["admin.listen"]));
        site.run(&["plan"]).expect(1);
        let listed = site.run(&["subscriptions"]).expect(0).stdout;
        assert!(listed.contains("crm-accounts"), "{listed}");
        for command in ["pause", "resume"] {
            site.run(&[command, "crm-accounts"]).expect(0);
        }
        // Who names an address means that one.
        site.run(&["subscriptions", "--admin", "unix:/nowhere/admin.sock"]).expect(69);
    }
}

#[test]
fn a_file_whose_name_is_not_utf_8_is_shown_to_programs() {
    let site = Site::new();
    std::fs::create_dir(site.path("conf.d")).unwrap();
    let name = std::os::unix::ffi::OsStringExt::from_vec(b"\xff.toml".to_vec());
    std::fs::write(site.path("conf.d").join::<std::ffi::OsString>(name), "").unwrap();
    let report = json(&site.run(&["check", "--json"]).expect(0).stdout);
    assert!(report["files_read"][1].as_str().unwrap().ends_with("\u{fffd}.toml"), "{report}");
}
