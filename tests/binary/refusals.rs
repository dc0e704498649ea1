//! Starts that cannot be: each ends with its exit code, and says what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::program::{Site, there};

#[test]
fn a_second_appliance_on_the_data_file_is_told_to_try_again() {
    let site = Site::new();
    let _serving = site.serve();
    let other = site.configure("other.toml", "data", "api-2.sock", "admin-2.sock", "");
    let ended = site.run(&["serve", "--config", other.to_str().unwrap()]);
    ended.expect(75).says("in use by another process");
    assert!(!there(&site.path("admin-2.sock")), "what was begun has been ended");
}

#[test]
fn a_taken_address_is_named() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ended = site.command(&["serve"]).env("TIDINGS__SERVER__LISTEN", format!(r#"["{address}"]"#)).output().unwrap();
    crate::program::Ended::of(&ended).expect(69).says(&format!("cannot listen on {address}"));
}

#[test]
fn a_live_socket_is_not_taken_over() {
    let site = Site::new();
    let serving = site.serve();
    let other = site.configure("other.toml", "data-2", "api.sock", "admin-2.sock", "");
    site.run(&["serve", "--config", other.to_str().unwrap()]).expect(69).says("another process is listening");
    assert_eq!(serving.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").status, 404);
}

#[test]
fn a_store_key_that_others_may_read_is_refused() {
    let site = Site::new();
    site.serve().kill_9();
    let key = site.path("data/store-key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    site.run(&["serve"]).expect(74).says("chmod 600");
}

#[test]
fn a_lost_store_key_is_not_made_anew() {
    let site = Site::new();
    site.serve().kill_9();
    let key = site.path("data/store-key");
    std::fs::remove_file(&key).unwrap();
    site.run(&["serve"]).expect(74).says("put the key back");
    assert!(!there(&key));
}

#[test]
fn a_data_file_that_is_none_is_refused_and_left_alone() {
    let site = Site::new();
    site.serve().kill_9();
    let file = site.path("data/tidings.redb");
    std::fs::write(&file, "something else").unwrap();
    site.run(&["serve"]).expect(74).says("tidings.redb is not a data file that can be read");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");
}

#[test]
fn a_data_folder_is_private_and_one_that_cannot_be_made_is_explained() {
    let site = Site::new();
    let serving = site.serve();
    let mode = std::fs::metadata(site.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    drop(serving);
    std::fs::write(site.path("file"), "").unwrap();
    let file = site.configure("file.toml", "file", "api.sock", "admin.sock", "");
    site.run(&["serve", "--config", file.to_str().unwrap()]).expect(74).says("it is not a folder");
    let below = site.configure("below.toml", "file/data", "api.sock", "admin.sock", "");
    site.run(&["serve", "--config", below.to_str().unwrap()]).expect(74).says("name another one in `data_dir`");
}

#[test]
fn a_bad_configuration_shows_every_problem_at_once() {
    let site = Site::new();
    let more = "[sever]\nlisten = []\n[limits]\nqueue_depth = \"many\"\n[api.polling]\npage_size = 0\n";
    let bad = site.configure("bad.toml", "data", "api.sock", "admin.sock", more);
    let bad = bad.to_str().unwrap();
    for command in ["serve", "status", "token --client crm"] {
        let mut arguments: Vec<_> = command.split(' ').collect();
        arguments.extend(["--config", bad]);
        let ended = site.run(&arguments).expect(78).says("sever").says("queue_depth").says("page_size");
        assert_eq!(ended.stdout, "", "{command}");
    }
    assert!(!there(&site.path("data")), "nothing was begun");

    let checked = site.run(&["check", "--config", bad]).expect(78);
    assert!(checked.stdout.contains("bad.toml:") && checked.stdout.contains("queue_depth"), "{checked:?}");
    let report = site.run(&["check", "--config", bad, "--json"]).expect(78).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["ok"], false);
    let errors = report["problems"].as_array().unwrap().iter().filter(|p| p["severity"] == "error").count();
    assert_eq!(errors, 3, "{report:#}");
    assert_eq!(report["problems"][0]["file"], bad);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let site = Site::new();
    site.run(&["serve", "--config", "/nowhere/tidings.toml"]).expect(78).says("/nowhere/tidings.toml");
}
