//! Good files and bad files, the same files again, and the last good ones.

use std::os::unix::fs::PermissionsExt as _;

use tidings::app::last_good;
use tidings::config::Sources;

use crate::calls::Call;
use crate::site::{FILES, Stage};

#[tokio::test]
async fn the_same_files_again_change_nothing_and_that_is_said() {
    let stage = Stage::start(FILES).await;
    let first = stage.show().await;
    assert_eq!(first.disk.digest.as_ref(), Some(&first.digest));
    for _ in 0..2 {
        let again = stage.reload(FILES).await;
        assert!(!again.changed && again.restart.is_empty(), "{again:?}");
        assert_eq!((again.digest, again.differences), (first.digest.clone(), 0));
        assert_eq!(again.subscriptions, tidings::api::admin::SubscriptionCounts::default());
    }
    assert_eq!(stage.show().await.since, first.since);
    stage.end().await;
}

#[tokio::test]
async fn moving_an_entry_to_another_file_changes_nothing() {
    let stage = Stage::start(FILES).await;
    let at = FILES.find("[[subscriptions]]").unwrap();
    std::fs::create_dir(stage.path("conf.d")).unwrap();
    std::fs::write(stage.path("conf.d/10-crm.toml"), &FILES[at..]).unwrap();
    let report = stage.reload(&FILES[..at]).await;
    assert!(!report.changed, "{report:?}");
    stage.end().await;
}

#[tokio::test]
async fn bad_files_change_nothing_and_are_told_everywhere_until_good_ones_are_read() {
    let stage = Stage::start(FILES).await;
    let before = stage.show().await;
    let token = stage.token("crm").await;
    let bad = FILES.replace("event_types = [\"301\"]", "event_types = [\"302\"]\nevent_typs = []");
    let told = stage.refused(&bad).await;
    assert!(told.contains("tidings.toml:") && told.contains("event_typs"), "{told}");
    assert_eq!(stage.publish(&token, "302").await, 0);
    assert_eq!(stage.publish(&token, "301").await, 1);

    let shown = stage.show().await;
    assert_eq!((&shown.digest, &shown.disk.digest), (&before.digest, &None));
    let last = shown.last_reload.unwrap();
    assert!(!last.successful && last.by == "signal" && !last.problems.is_empty(), "{last:?}");
    let detail = stage.details().await;
    let detail = detail["bad_configuration"].as_str().unwrap();
    assert!(detail.contains("event_typs") && detail.contains("the one before goes on"), "{detail}");
    assert_eq!(stage.metric("tidings_config_last_reload_successful").await, "0");

    let good = stage.reload(&FILES.replace("\"301\"", "\"302\"")).await;
    assert!(good.changed && good.subscriptions.updated == 1, "{good:?}");
    assert_eq!(stage.publish(&token, "302").await, 1);
    assert_eq!(stage.publish(&token, "301").await, 0);
    assert_eq!(stage.metric("tidings_config_last_reload_successful").await, "1");
    let info = format!("tidings_config_info{{digest=\"{}\"}}", good.digest);
    assert_eq!(stage.metric(&info).await, "1");
    let details = stage.details().await;
    assert_eq!((&details["configuration"], details.get("bad_configuration")), (&good.digest.into(), None));
    stage.end().await;
}

#[tokio::test]
async fn over_http_a_reload_waits_and_answers_with_the_problems() {
    let stage = Stage::start(FILES).await;
    let token = stage.token("crm").await;
    let reload = Call::new("POST", "/configuration/reload").bearer(&token);
    assert_eq!(stage.ask(&reload).await.expect(200).json()["changed"], false);
    stage.write(&FILES.replace("scopes", "scope"));
    let refused = stage.ask(&reload).await.expect(409).json();
    assert!(refused["type"].as_str().unwrap().ends_with("/problems/bad-configuration"), "{refused}");
    let problem = refused["problems"].as_array().unwrap().iter().find(|p| p["severity"] == "error").unwrap();
    assert!(problem["place"].as_str().unwrap().contains("tidings.toml:"), "{refused}");
    assert!(problem["suggestion"].as_str().unwrap().contains("scopes"), "{refused}");
    stage.ask(&Call::new("GET", "/configuration/plan").bearer(&token)).await.expect(409);
    let shown = stage.ask(&Call::new("GET", "/configuration").bearer(&token)).await.expect(200).json();
    assert_eq!(shown["disk"].get("digest"), None);
    stage.ask(&Call::new("POST", "/configuration/reload").bearer(&token).json("{\"now\":1}")).await.expect(400);
    stage.ask(&Call::new("POST", "/configuration/reload")).await.expect(401);
    stage.end().await;
}

#[tokio::test]
async fn what_runs_is_kept_as_the_last_good_configuration() {
    let stage = Stage::start(FILES).await;
    let data = stage.path("data");
    let kept = || last_good::read(&data, &Sources::new("/nowhere")).unwrap().unwrap().effective.digest();
    let mode = std::fs::metadata(last_good::path(&data)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let first = stage.show().await.digest;
    assert_eq!(kept(), first);
    stage.refused("bad = 1").await;
    assert_eq!(kept(), first, "bad files are not kept");
    let second = stage.reload(&FILES.replace("301", "302")).await.digest;
    assert_eq!(kept(), second);
    stage.end().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_break_a_reload_off() {
    let stage = Stage::start(FILES).await;
    stage.write(&FILES.replace("301", "302"));
    for _ in 0..20 {
        let reloads = stage.running.reloads();
        let begun = tokio::spawn(async move { reloads.reload(tidings::app::Trigger::Command).await });
        tokio::task::yield_now().await;
        begun.abort();
    }
    let last = stage.try_reload().await.unwrap();
    assert!(!last.changed, "those before were done: {last:?}");
    assert_eq!(stage.publish(&stage.token("crm").await, "302").await, 1);
    stage.end().await;
}
