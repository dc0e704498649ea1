//! The audit trail of a real process: its lines, `verify --audit`, and what a crash and a full disk leave.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Ended, Serving, Site};
use crate::wire::post;

/// A site whose trail goes to this file.
fn site(output: &str) -> Site {
    let site = Site::new();
    site.configure("tidings.toml", "data", "api.sock", "admin.sock", &format!("audit.output = \"{output}\""));
    site
}

fn site_with_file() -> Site {
    let site = Site::new();
    let output = site.path("audit.log");
    site.configure(
        "tidings.toml",
        "data",
        "api.sock",
        "admin.sock",
        &format!("audit.output = \"{}\"", output.display()),
    );
    site
}

fn ask_for_a_token(serving: &Serving, secret: &str) -> u16 {
    let form = format!("grant_type=client_credentials&client_id=crm&client_secret={secret}");
    serving
        .send(&post("/oauth2/token", "", "application/x-www-form-urlencoded", &form).replace("Authorization: \r\n", ""))
        .status
}

fn actions(trail: &str) -> Vec<String> {
    let lines = trail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["audit"] == 1);
    lines.map(|line| format!("{} {}", line["action"], line["object"]).replace('"', "")).collect()
}

#[test]
fn a_trail_goes_on_over_a_crash_and_verify_finds_what_was_done_to_it() {
    let site = site_with_file();
    let serving = site.serve();
    assert_eq!(ask_for_a_token(&serving, crate::program::SECRET), 200);
    serving.kill_9();
    let serving = site.serve();
    serving.signal(Signal::HUP);
    serving.until_logged("the configuration was reloaded");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end(), Some(0));
    let trail = std::fs::read_to_string(site.path("audit.log")).unwrap();
    let reload = actions(&trail).into_iter().find(|line| line.starts_with("configuration.reload ")).unwrap();
    let expected = [
        "appliance.start null",
        "subscription.create crm-accounts",
        "token.issue null",
        "appliance.start null",
        "signal SIGHUP",
        reload.as_str(),
        "signal SIGTERM",
        "appliance.stop null",
    ];
    assert_eq!(actions(&trail), expected);

    let sound = site.run(&["verify", "--audit"]).expect(0);
    assert!(sound.stdout.contains("the chain holds") && sound.stdout.contains("noted number 8"), "{sound:?}");
    assert!(sound.stdout.contains("did not write its last line"), "{sound:?}");
    let path = site.path("audit.log").display().to_string();
    std::fs::write(&path, trail.replace("SIGHUP", "SIGINT")).unwrap();
    let changed = site.run(&["verify", "--audit", &path]).expect(1);
    assert!(changed.stdout.contains("BROKEN: line 6") && changed.stdout.contains("does not hold"), "{changed:?}");
    std::fs::write(&path, trail.split_inclusive('\n').take(7).collect::<String>()).unwrap();
    let report: Value = serde_json::from_str(&site.run(&["verify", "--audit", "--json"]).expect(1).stdout).unwrap();
    assert_eq!((&report["ok"], &report["lines"], &report["noted"]), (&false.into(), &7.into(), &8.into()));
    assert_eq!(report["breaks"][0]["line"], 7);
    std::fs::write(&path, "").unwrap();
    site.run(&["verify", "--audit", "/dev/null"]).expect(1);
    std::fs::remove_file(&path).unwrap();
    site.run(&["verify", "--audit"]).expect(74);
}

#[test]
fn the_journal_has_the_trail_at_every_level_and_verify_reads_it() {
    let site = Site::new();
    for format in ["json", "text", "journald"] {
        let serving = site.serve_with("TIDINGS__LOG__FORMAT", format);
        assert_eq!(ask_for_a_token(&serving, "wrong"), 401);
        serving.signal(Signal::TERM);
        assert_eq!(serving.end(), Some(0));
        let log = std::fs::read_to_string(site.path("log")).unwrap();
        assert!(actions(&log).contains(&"token.issue null".to_owned()), "{log}");
        let mut command = site.command(&["verify", "--audit", "-"]);
        let verified = command.stdin(Stdio::from(std::fs::File::open(site.path("log")).unwrap())).output().unwrap();
        let verified = Ended::of(&verified).expect(0);
        assert!(verified.stdout.contains("the chain holds") && !verified.stdout.contains(" 0 others"), "{verified:?}");
    }
    let quiet = site.serve_with("TIDINGS__LOG__LEVEL", "error");
    quiet.signal(Signal::TERM);
    assert_eq!(quiet.end(), Some(0));
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert_eq!(actions(&log), ["appliance.start null", "signal SIGTERM", "appliance.stop null"]);
    site.run(&["verify", "--audit"]).expect(64).says("journalctl -u tidings -o cat");
}

#[test]
fn a_full_disk_is_shown_and_everything_else_goes_on() {
    let site = site("/dev/full");
    let serving = site.serve();
    assert_eq!(ask_for_a_token(&serving, crate::program::SECRET), 200);
    serving.until("/health/ready", |body| body.contains("the audit trail cannot be written: No space left on device"));
    serving.until("/metrics", |body| body.contains("\ntidings_audit_lines_total 0\n"));
    assert_eq!(ask_for_a_token(&serving, "wrong"), 401);
    serving.signal(Signal::TERM);
    let log = site.path("log");
    assert_eq!(serving.end(), Some(1));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("stopping: close the audit trail:") && log.contains("lines of the audit trail are lost"),
        "{log}"
    );
}

#[test]
fn an_output_that_cannot_be_opened_is_no_start() {
    let site = site("/nowhere/audit.log");
    site.run(&["serve"]).expect(74).says("audit.output");
    assert!(!site.path("admin.sock").exists(), "what was begun has been ended");
}
