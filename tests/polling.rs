//! The polling contract through the front door (contracts/polling.md).

mod support;

use support::Appliance;

#[tokio::test]
async fn smoke() {
    let appliance = Appliance::plain().await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let receipt = appliance.publish(r#"{"type":"301","data":{"user":{"id":1.0}}}"#).await;
    println!("{receipt}");
    println!("{}", appliance.poll_text(&id).await);
    println!("{}", appliance.poll_text(&id).await);
}
