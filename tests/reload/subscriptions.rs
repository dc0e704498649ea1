//! The declared subscriptions, reconciled with the store by id.

use serde_json::json;

use crate::calls::Call;
use crate::site::{FILES, Stage, results};

const OTHER: &str = "[[subscriptions]]\nid = \"other\"\nclient_id = \"erp\"\nevent_types = [\"404\"]\npoll = {}\n";

#[tokio::test]
async fn one_comes_is_changed_with_its_queue_kept_and_goes_by_draining() {
    let stage = Stage::start(FILES).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    let report = stage.reload(&format!("{FILES}{OTHER}")).await;
    assert_eq!((report.subscriptions.created, report.differences), (1, 1));
    assert_eq!(stage.publish(&crm, "404").await, 1);
    let report = stage.reload(&format!("{FILES}{}", OTHER.replace("404", "405"))).await;
    assert_eq!(report.subscriptions.updated, 1);
    assert_eq!(stage.publish(&crm, "405").await, 1);
    assert_eq!(stage.publish(&crm, "404").await, 0);
    let report = stage.reload(FILES).await;
    assert_eq!(report.subscriptions.drained, 1);
    assert_eq!(stage.publish(&crm, "405").await, 0, "nothing new is added");
    assert_eq!(results(&stage.poll(&erp, "other").await), 2, "what waited is still delivered");
    stage.end().await;
}

#[tokio::test]
async fn an_id_that_an_api_gave_out_cannot_be_declared_and_nothing_is_changed() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let made = stage.subscribe(&crm, "crm").await;
    let taken = OTHER.replace("other", &made) + &OTHER.replace("404", "301");
    let told = stage.refused(&format!("{FILES}{taken}")).await;
    assert!(told.contains(&made), "{told}");
    assert_eq!(stage.publish(&crm, "301").await, 2, "the other one was not made either");
    stage.end().await;
}

#[tokio::test]
async fn what_the_files_declare_is_read_only_through_the_apis() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let path = "/subscriptions/crm-accounts";
    let polling = Call::new("DELETE", &format!("/notification/v1{path}")).bearer(&crm);
    assert_eq!(stage.send(&polling).await.expect(409).json()["code"], "NOT000009");
    let events = stage.send(&Call::new("DELETE", &format!("/v1{path}")).bearer(&crm)).await.expect(409).json();
    assert!(events["type"].as_str().unwrap().ends_with("/problems/declared"), "{events}");
    let read = Call::new("GET", &format!("/notification/v1{path}")).bearer(&crm);
    stage.send(&read).await.expect(200);
    let purged = Call::new("POST", "/v1/clients/crm/purge").bearer(&crm).json(json!({}).to_string());
    stage.send(&purged).await.expect(200);
    assert!(stage.subscription(&crm, "crm-accounts").await.is_some(), "a purge leaves it");
    stage.end().await;
}
