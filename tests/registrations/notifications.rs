//! Notifications with their attempts, and retrying one.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tidings::channel::webhook::Answers;
use tidings::engine::{ChannelSettings, DeliverySettings};

use crate::stage::{
    MOUNT, SUBSCRIBER, channels, delivering, error, errors, id_of, make, notifications, path, problems, setup,
    webhook_to,
};
use crate::support::client::{Answer, Call};
use crate::support::{Appliance, Setup, until};
use crate::upstream::{Reply, Upstream};

/// A receiver that answers so, an appliance that delivers with one retry, and the id of the registration for it.
async fn registered(reply: Reply, answers: Answers) -> (Appliance, Upstream, String) {
    let receiver = Upstream::start(reply).await;
    let channels = channels(&[&receiver.address.to_string()], answers, |_| {});
    let schedule = vec![Duration::from_secs(5)];
    let webhooks = ChannelSettings { schedule, ..ChannelSettings::webhooks() };
    let delivery = DeliverySettings { webhooks, ..DeliverySettings::default() };
    let appliance = delivering(Setup { delivery, ..setup() }, channels).await;
    let id = id_of(&make(&appliance, "broker", &webhook_to(&receiver.url("hook"))).await);
    (appliance, receiver, id)
}

async fn publish(appliance: &Appliance) {
    appliance.publish(r#"{"type":"WORKSPACE_LODGED","data":{}}"#).await;
}

/// The notifications with this query.
async fn events(appliance: &Appliance, query: &str) -> Vec<Value> {
    notifications(appliance, "broker", query).await["notificationEvents"].as_array().unwrap().clone()
}

/// Waits until there are so many of this status; answers them.
async fn await_status(appliance: &Appliance, status: &str, count: usize) -> Vec<Value> {
    for _ in 0..2000 {
        let found = events(appliance, &format!("?status={status}")).await;
        if found.len() == count {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("there are never {count} {status}")
}

async fn retry(appliance: &Appliance, client: &'static str, id: &str) -> Answer {
    let path = format!("{MOUNT}/notifications/{id}/retry-notifications");
    appliance.send(Call::new(Method::POST, &path, client)).await
}

fn id_of_notification(event: &Value) -> String {
    event["notificationId"].as_str().unwrap().to_owned()
}

/// What a receiver answers that tells too much: an escape sequence, and more than is kept.
fn telling() -> Reply {
    Reply::Whole(422, String::new(), [b"no \x1b[31m\n".to_vec(), vec![b'x'; 5000]].concat())
}

#[tokio::test]
async fn attempts_are_shown_and_their_answers_only_under_a_policy_that_says_so() {
    for (answers, shown) in [(Answers::Kept, false), (Answers::Dropped, false), (Answers::Shown, true)] {
        let (appliance, _receiver, _) = registered(telling(), answers).await;
        publish(&appliance).await;
        let failed = await_status(&appliance, "FAILED", 1).await.remove(0);
        assert_eq!(failed.as_object().unwrap().len(), 3);
        assert_eq!(failed["subscriberId"], SUBSCRIBER);
        let attempts = failed["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "422 speaks of the body");
        assert_eq!(attempts[0]["responseCode"], 422);
        assert_eq!(attempts[0]["attemptTime"], "2026-11-22T10:00:00Z");
        let body = attempts[0]["responseBody"].as_str().unwrap();
        if shown {
            assert!(body.starts_with("no \\u{1b}[31m\\nxxx"), "{body}");
            assert_eq!(body.matches('x').count(), 4096 - "no E[31mN".len());
        } else {
            assert_eq!(body, "");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_answered_has_no_code() {
    let (appliance, _receiver, _) = registered(Reply::Closed, Answers::Shown).await;
    publish(&appliance).await;
    let mut pending = events(&appliance, "?status=PENDING").await;
    for _ in 0..2000 {
        if !pending[0]["attempts"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::task::yield_now().await;
        pending = events(&appliance, "?status=PENDING").await;
    }
    assert_eq!(pending[0]["attempts"], json!([{"responseBody": "", "attemptTime": "2026-11-22T10:00:00Z"}]));
}

#[tokio::test]
async fn the_newest_come_first_in_pages_and_by_status_and_registration() {
    let (appliance, receiver, id) = registered(Reply::ok(""), Answers::Kept).await;
    assert_eq!(notifications(&appliance, "broker", "").await, json!({"notificationEvents": [], "totalPages": 0}));
    for _ in 0..5 {
        publish(&appliance).await;
        appliance.clock.advance(Duration::from_hours(30));
    }
    let sent = await_status(&appliance, "SENT", 5).await;
    assert_eq!(receiver.hits(), 5);
    let ids: Vec<_> = sent.iter().map(id_of_notification).collect();
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "ids rise with time: {ids:?}");
    let page = async |query: &str| {
        let page = notifications(&appliance, "broker", query).await;
        let ids: Vec<_> = page["notificationEvents"].as_array().unwrap().iter().map(id_of_notification).collect();
        (ids, page["totalPages"].as_u64().unwrap())
    };
    assert_eq!(page("").await, (ids.clone(), 1));
    assert_eq!(page("?limit=2").await, (ids[..2].to_vec(), 3));
    assert_eq!(page("?limit=2&page=3").await, (ids[4..].to_vec(), 3));
    assert_eq!(page("?limit=2&page=4").await, (Vec::new(), 3));
    assert_eq!(page("?status=FAILED").await, (Vec::new(), 0));
    let other = id_of(&make(&appliance, "broker", &webhook_to(&receiver.url("other"))).await);
    assert_eq!(page(&format!("?registrationId={id}")).await.0, ids);
    assert_eq!(page(&format!("?registrationId={other}")).await, (Vec::new(), 0));
    let get =
        async |client, query: &str| appliance.send(Call::get(&format!("{MOUNT}/notifications{query}"), client)).await;
    assert_eq!(error(get("broker", "?registrationId=x").await, 404).0, "TDG.REG.006");
    assert_eq!(error(get("rival", &format!("?registrationId={id}")).await, 404).0, "TDG.REG.006");
    assert_eq!(get("rival", "").await.expect(200).json()["totalPages"], 0);
    for (query, fields) in [
        ("?status=sent", &["status"][..]),
        ("?limit=101", &["limit"]),
        ("?page=101&limit=100", &["page"]),
        ("?page=0&status=x", &["page", "status"]),
    ] {
        let refused = problems(get("broker", query).await);
        assert_eq!(refused.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), fields, "{query}");
    }
}

#[tokio::test]
async fn a_failed_one_is_retried_under_its_own_id() {
    let (appliance, receiver, _) = registered(telling(), Answers::Kept).await;
    publish(&appliance).await;
    let id = id_of_notification(&await_status(&appliance, "FAILED", 1).await[0]);
    receiver.reply(Reply::ok(""));
    let retried = retry(&appliance, "broker", &id).await.expect(200).json();
    assert_eq!((&retried["notificationId"], &retried["notificationStatus"]), (&json!(id), &json!("PENDING")));
    assert_eq!(retried.as_object().unwrap().len(), 3);
    assert!(!retried["details"].as_str().unwrap().is_empty());
    let sent = await_status(&appliance, "SENT", 1).await.remove(0);
    assert_eq!(sent["notificationId"], id);
    let codes: Vec<_> = sent["attempts"].as_array().unwrap().iter().map(|a| a["responseCode"].clone()).collect();
    assert_eq!(codes, [422, 200]);
    assert!(receiver.requests().iter().all(|request| request.contains(&id)));
    let refused = errors(retry(&appliance, "broker", &id).await, 409);
    assert!(refused[0].0 == "TDG.REG.007" && refused[0].1.contains("SENT"), "{refused:?}");
}

#[tokio::test]
async fn a_retried_one_goes_before_those_that_wait() {
    let (appliance, receiver, registration) = registered(telling(), Answers::Kept).await;
    publish(&appliance).await;
    let id = id_of_notification(&await_status(&appliance, "FAILED", 1).await[0]);
    appliance.engine.pause(&registration).await.unwrap();
    for _ in 0..3 {
        publish(&appliance).await;
    }
    retry(&appliance, "broker", &id).await.expect(200);
    receiver.reply(Reply::ok(""));
    appliance.engine.resume(&registration).await.unwrap();
    await_status(&appliance, "SENT", 4).await;
    assert!(receiver.requests()[1].contains(&id), "{:?}", receiver.requests());
}

#[tokio::test]
async fn only_what_has_failed_is_retried() {
    let (appliance, receiver, registration) = registered(Reply::ok(""), Answers::Kept).await;
    appliance.engine.pause(&registration).await.unwrap();
    publish(&appliance).await;
    let id = id_of_notification(&events(&appliance, "?status=PENDING").await[0]);
    let refused = errors(retry(&appliance, "broker", &id).await, 409);
    assert!(refused[0].1.contains("PENDING"), "{refused:?}");
    appliance
        .engine
        .cancel(
            id.parse::<uuid::Uuid>().map(|id| tidings::model::id::LedgerId::parse(&id.to_string())).unwrap().unwrap(),
            "ops",
            false,
        )
        .await
        .unwrap();
    assert_eq!(events(&appliance, "?status=FAILED").await.len(), 1, "it is shown so");
    let refused = errors(retry(&appliance, "broker", &id).await, 409);
    assert!(refused[0].1.contains("cancelled"), "{refused:?}");
    assert_eq!(receiver.hits(), 0);
    for (client, id) in [("rival", id.as_str()), ("broker", "0198f0c2-1111-7000-8000-000000040001"), ("broker", "x")] {
        assert_eq!(error(retry(&appliance, client, id).await, 404).0, "TDG.REG.006");
    }
}

#[tokio::test]
async fn what_has_expired_is_shown_as_failed_and_can_be_retried() {
    let (appliance, receiver, registration) = registered(Reply::ok(""), Answers::Kept).await;
    appliance.engine.pause(&registration).await.unwrap();
    publish(&appliance).await;
    let day = r#"{"type":"WORKSPACE_LODGED","expirytime":"2026-11-23T00:00:00Z","data":{}}"#;
    appliance.publish(day).await;
    appliance.clock.advance(Duration::from_hours(96));
    let failed = await_status(&appliance, "FAILED", 2).await;
    let refused = errors(retry(&appliance, "broker", &id_of_notification(&failed[0])).await, 409);
    assert!(refused[0].1.contains("expirytime"), "{refused:?}");
    retry(&appliance, "broker", &id_of_notification(&failed[1])).await.expect(200);
    appliance.engine.resume(&registration).await.unwrap();
    await_status(&appliance, "SENT", 1).await;
    assert_eq!(receiver.hits(), 1);
}

#[tokio::test]
async fn those_of_another_contract_or_of_nobody_are_not_there() {
    let (appliance, _receiver, registration) = registered(Reply::ok(""), Answers::Kept).await;
    publish(&appliance).await;
    let id = id_of_notification(&await_status(&appliance, "SENT", 1).await[0]);
    appliance.send(Call::delete(&path(&registration), "broker")).await.expect(204);
    assert_eq!(error(retry(&appliance, "broker", &id).await, 404).0, "TDG.REG.006");
    assert!(events(&appliance, "").await.is_empty());
    until("nothing waits", || true).await;
}
