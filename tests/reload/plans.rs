//! The plan tells what the reload does.

use crate::site::{FILES, Stage, results, without_client};

#[tokio::test]
async fn differences_are_told_field_by_field_and_secrets_only_as_changed() {
    let stage = Stage::start(FILES).await;
    assert!(!stage.plan().await.has_changes());
    let crm = stage.token("crm").await;
    for _ in 0..3 {
        stage.publish(&crm, "301").await;
    }
    let files = without_client("crm-accounts", "[limits]\nqueue_depth = 7\n").replacen(
        "a-secret-of-the-tests",
        "another-secret",
        1,
    );
    stage.write(&files);
    let plan = stage.plan().await;
    assert!(plan.has_changes());
    let of = |section: &str| plan.differences.iter().find(|d| d.section == section).unwrap();
    let client = of("clients");
    assert_eq!((client.kind.as_str(), client.id.as_deref()), ("changed", Some("crm")));
    let shown = serde_json::to_string(&plan).unwrap();
    assert!(!shown.contains("another-secret") && !shown.contains("a-secret-of-the-tests"), "{shown}");
    let limits = of("limits");
    assert_eq!((limits.fields[0].key.as_str(), limits.fields[0].new.as_deref()), ("queue_depth", Some("7")));
    assert!(limits.place.as_ref().unwrap().contains("tidings.toml:"), "{limits:?}");
    let gone = of("subscriptions");
    assert_eq!((gone.kind.as_str(), gone.waiting, gone.on_remove.as_deref()), ("removed", Some(3), Some("drain")));
    assert_eq!(plan.subscriptions.drained, 1);
    assert_eq!(stage.plan().await.subscriptions, stage.try_reload().await.unwrap().subscriptions);
    assert!(!stage.plan().await.has_changes());
    stage.end().await;
}

#[tokio::test]
async fn what_would_go_to_another_client_is_told() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    stage.publish(&crm, "301").await;
    let to_erp = FILES.replace("client_id = \"crm\"", "client_id = \"erp\"");
    stage.write(&to_erp);
    let told = stage.plan().await.differences;
    assert_eq!(told.iter().map(|d| (d.kind.as_str(), d.waiting)).collect::<Vec<_>>(), [("changed", Some(1))]);
    // The same where it drains meanwhile, and is new to the files.
    let reloaded = stage.reload(FILES.split("[[subscriptions]]").next().unwrap()).await;
    assert_eq!(reloaded.subscriptions.drained, 1);
    stage.write(FILES);
    assert_eq!(stage.plan().await.differences[0].waiting, None, "it is the client's own");
    stage.write(&to_erp);
    let told = stage.plan().await.differences;
    assert_eq!(told.iter().map(|d| (d.kind.as_str(), d.waiting)).collect::<Vec<_>>(), [("added", Some(1))]);
    stage.end().await;
}

#[tokio::test]
async fn what_waits_goes_to_another_client_only_if_that_may_see_it() {
    let stage = Stage::start(FILES).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    stage.publish(&crm, "301").await;
    let to_erp = FILES.replace("client_id = \"crm\"", "client_id = \"erp\"");
    stage.write(&to_erp);
    let told = stage.plan().await.differences;
    assert_eq!((told[0].waiting, told[0].on_remove.as_deref()), (Some(1), Some("drop")), "erp does not own 1001");
    stage.reload(&to_erp).await;
    assert_eq!(results(&stage.poll(&erp, "crm-accounts").await), 0);
    stage.publish(&crm, "301").await;
    assert_eq!(results(&stage.poll(&erp, "crm-accounts").await), 1, "what comes now is its own");

    // crm owns all that erp does, and more.
    stage.publish(&crm, "301").await;
    stage.write(FILES);
    let told = stage.plan().await.differences;
    assert_eq!((told[0].waiting, told[0].on_remove.as_deref()), (Some(1), None));
    stage.reload(FILES).await;
    assert_eq!(results(&stage.poll(&crm, "crm-accounts").await), 1);
    stage.end().await;
}
