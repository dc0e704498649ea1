//! Who may call, and with what: it holds from the next request on.

use std::time::Duration;

use tokio::time::Instant;

use crate::calls::Call;
use crate::site::{FILES, SECRET, Stage, results, without_client};

/// A poll of `subscription` that waits a minute.
fn waiting(token: &str, subscription: &str) -> Call {
    let path = format!("/notification/v1/subscriptions/{subscription}/notifications");
    Call::new("GET", &path).bearer(token).header("Prefer", "wait=60")
}

/// Waits until so many polls of the appliance wait.
async fn until_polled(stage: &Stage, token: &str, subscription: &str) {
    let polled = async {
        loop {
            let seen = stage.subscription(token, subscription).await.unwrap();
            if !seen["queue"]["lastPolled"].is_null() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polled).await.expect("it is polled in the end");
}

#[tokio::test]
async fn a_client_that_is_new_may_call_and_one_that_is_gone_may_not() {
    let stage = Stage::start(&without_client("erp", "")).await;
    let crm = stage.token("crm").await;
    let form = format!("grant_type=client_credentials&client_id=erp&client_secret={SECRET}");
    stage.send(&Call::new("POST", "/oauth2/token").form(&form)).await.expect(401);
    stage.reload(FILES).await;
    let erp = stage.token("erp").await;
    stage.publish(&erp, "301").await;
    assert_eq!(results(&stage.poll(&crm, "crm-accounts").await), 1);
    stage.reload(&without_client("erp", "")).await;
    let event = Call::new("POST", "/v1/events").bearer(&erp).json(r#"{"type":"301"}"#);
    let refused = stage.send(&event).await.expect(401);
    assert!(refused.body.contains("not known here any more"), "{refused:?}");
    stage.publish(&crm, "301").await;
    stage.end().await;
}

#[tokio::test]
async fn a_scope_that_is_gone_is_worth_nothing_from_the_next_request_on() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    stage.publish(&crm, "301").await;
    stage.reload(&FILES.replacen("\"events:publish\", ", "", 1)).await;
    let event = Call::new("POST", "/v1/events").bearer(&crm).json(r#"{"type":"301"}"#);
    stage.send(&event).await.expect(403);
    stage.poll(&crm, "crm-accounts").await.expect(200);
    stage.end().await;
}

#[tokio::test]
async fn waiting_polls_of_who_may_no_more_end_and_those_of_others_go_on() {
    let stage = Stage::start(FILES).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    let lost = stage.subscribe(&erp, "erp").await;
    let address = stage.address();
    let begun = Instant::now();
    let ask = |call: Call| {
        let address = address.clone();
        tokio::spawn(async move { call.send(&address).await })
    };
    let of_erp = ask(waiting(&erp, &lost));
    let leased = ask(Call::new("POST", &format!("/v1/subscriptions/{lost}/poll"))
        .bearer(&erp)
        .json("{}")
        .header("Prefer", "wait=60"));
    let of_crm = ask(waiting(&crm, "crm-accounts"));
    until_polled(&stage, &crm, &lost).await;
    until_polled(&stage, &crm, "crm-accounts").await;
    stage.reload(&without_client("erp", "")).await;
    assert_eq!(results(&of_erp.await.unwrap()), 0);
    leased.await.unwrap().expect(200);
    assert!(begun.elapsed() < Duration::from_secs(30), "neither waited a minute");
    assert!(!of_crm.is_finished());
    stage.publish(&crm, "301").await;
    assert_eq!(results(&of_crm.await.unwrap()), 1);
    stage.end().await;
}

#[tokio::test]
async fn what_a_removed_client_made_through_an_api_is_held_until_it_is_back() {
    let stage = Stage::start(FILES).await;
    let (crm, erp) = (stage.token("crm").await, stage.token("erp").await);
    let made = stage.subscribe(&erp, "erp").await;
    stage.publish(&crm, "301").await;
    stage.write(&without_client("erp", ""));
    let plan = stage.plan().await;
    assert_eq!((plan.held.len(), plan.subscriptions.held), (1, 1), "{plan:?}");
    assert_eq!((plan.held[0].id.as_str(), plan.held[0].client.as_str(), plan.held[0].waiting), (&*made, "erp", 1));
    assert_eq!(stage.try_reload().await.unwrap().subscriptions.held, 1);
    let seen = stage.subscription(&crm, &made).await.unwrap();
    assert_eq!(seen["holds"][0]["reason"], "client-removed", "{seen}");
    assert_eq!(stage.reload(FILES).await.subscriptions.released, 1);
    let erp = stage.token("erp").await;
    assert_eq!(results(&stage.poll(&erp, &made).await), 1);
    stage.end().await;
}

#[tokio::test]
async fn secrets_in_files_are_read_again() {
    let stage = Stage::start(FILES).await;
    let secret = stage.path("crm.secret");
    let write = |text: &str| {
        std::fs::write(&secret, text).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("first");
    let files =
        FILES.replacen(&format!("{{ value = \"{SECRET}\" }}"), &format!("{{ file = \"{}\" }}", secret.display()), 1);
    assert!(stage.reload(&files).await.changed);
    let token = |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=crm&client_secret={secret}");
        Call::new("POST", "/oauth2/token").form(&form)
    };
    stage.send(&token("first")).await.expect(200);
    write("second");
    assert!(stage.reload(&files).await.changed, "the content counts");
    stage.send(&token("first")).await.expect(401);
    stage.send(&token("second")).await.expect(200);
    std::fs::remove_file(&secret).unwrap();
    let told = stage.refused(&files).await;
    assert!(told.contains("crm.secret"), "{told}");
    stage.send(&token("second")).await.expect(200);
    stage.end().await;
}

#[tokio::test]
async fn an_owner_that_is_gone_sees_nothing_more() {
    let stage = Stage::start(FILES).await;
    let crm = stage.token("crm").await;
    let publish = async || {
        let event = Call::new("POST", "/v1/events").bearer(&crm).json(r#"{"type":"301","audience":"1001"}"#);
        stage.send(&event).await.expect(202).json()["matched"].as_u64().unwrap()
    };
    assert_eq!(publish().await, 1);
    stage.reload(&FILES.replace("1001", "2002")).await;
    assert_eq!(publish().await, 0);
    stage.end().await;
}
