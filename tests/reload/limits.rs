//! Limits and the catalogue: what runs is what the files say now.

use crate::calls::Call;
use crate::site::{FILES, Stage};

#[tokio::test]
async fn limits_hold_from_the_next_request_on() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    for _ in 0..3 {
        stage.publish(&crm, "301").await;
    }
    stage.reload(&format!("limits.queue_depth = 3\n{FILES}")).await;
    stage.publish(&crm, "301").await;
    assert_eq!(stage.metric("tidings_notifications_queue_full_total").await, "1");
    stage.reload(&format!("limits.subscriptions = 1\n{FILES}")).await;
    stage.subscribe(&crm, "crm").await;
    let more = Call::new("POST", "/notification/v1/subscriptions").bearer(&crm);
    stage.send(&more.json(r#"{"event_type_ids": ["301"], "client_id": "crm"}"#)).await.expect(409);
    stage.reload(&format!("limits.request_rate = \"1/h\"\n{FILES}")).await;
    stage.poll(&crm, "crm-accounts").await.expect(200);
    stage.poll(&crm, "crm-accounts").await.expect(429);
    stage.reload(FILES).await;
    stage.poll(&crm, "crm-accounts").await.expect(200);
    stage.end().await;
}

#[tokio::test]
async fn a_catalogue_that_is_closed_refuses_what_it_does_not_have() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    stage.publish(&crm, "999").await;
    let closed = "events.catalogue = \"closed\"\n[[event_types]]\nid = \"301\"\nname = \"n\"\ncategory = \"c\"\n";
    stage.reload(&format!("{closed}{FILES}")).await;
    let event = |kind: &str| Call::new("POST", "/v1/events").bearer(&crm).json(format!("{{\"type\":\"{kind}\"}}"));
    stage.send(&event("999")).await.expect(400);
    stage.send(&event("301")).await.expect(202);
    stage.end().await;
}

#[tokio::test]
async fn a_larger_body_is_taken_where_the_files_allow_it() {
    let stage = Stage::start(&format!("server.max_body = \"1KiB\"\n{FILES}")).await;
    let crm = stage.token("crm").await;
    let large = format!(r#"{{"type":"301","data":"{}"}}"#, "x".repeat(4096));
    let event = Call::new("POST", "/v1/events").bearer(&crm).json(large);
    stage.send(&event).await.expect(413);
    stage.reload(FILES).await;
    stage.send(&event).await.expect(202);
    stage.end().await;
}
