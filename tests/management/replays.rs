//! Replays: which notifications they mean, what is answered, and that nothing new is made.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::engine::{Bulk, BulkAction, Filter};
use tidings::model::id::LedgerId;
use tidings::model::notification::State;

use crate::stage::{REPLAYS, Stage, counted, hook, setup};
use crate::support::client::{Answer, Call};

/// A stage with a webhook of `noc` for outages, at which these have failed; its subscription.
async fn failed(count: usize) -> (Stage, String) {
    let stage = Stage::plain().await;
    stage.script.works(false);
    let made = stage.subscribe("noc", &hook("Outage", "https://example.com/cb")).await;
    let id = made["id"].as_str().unwrap().to_owned();
    for n in 0..count {
        stage.publish("Outage", "1001", &json!({"n": n})).await;
        assert_eq!(stage.ends(&id).await.last(), Some(&State::Failed));
        stage.appliance.clock.advance(Duration::from_secs(1));
    }
    stage.script.works(true);
    (stage, id)
}

async fn replay(stage: &Stage, body: Value) -> Answer {
    stage.post(REPLAYS, "noc", &body).await
}

fn ids(answer: &Value) -> Vec<String> {
    let notifications = answer["results"]["notifications"].as_array().unwrap();
    notifications.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The seed's own example: `{"status": "fail", "limit": 1000, "dryRun": true}`.
#[tokio::test]
async fn the_published_dry_run_counts_and_changes_nothing() {
    let (stage, id) = failed(1).await;
    let answer = replay(&stage, json!({"status": "fail", "limit": 1000, "dryRun": true})).await.expect(200).json();
    uuid::Uuid::parse_str(answer["id"].as_str().unwrap()).unwrap();
    let used =
        json!({"status": "fail", "limit": 1000, "clientId": "noc", "organisation": "Example Fibre", "dryRun": true});
    assert_eq!(answer["request"], used);
    assert_eq!(answer["results"], json!({"matched": 1, "queued": 0, "notifications": []}));
    assert_eq!(stage.ends(&id).await, [State::Failed]);
    assert_eq!(stage.script.tried().len(), 1);
}

#[tokio::test]
async fn a_replay_is_a_new_round_of_the_old_notifications_oldest_first() {
    let (stage, id) = failed(3).await;
    let before = stage.notifications(&id).await;
    let answer = replay(&stage, json!({"limit": 2, "dryRun": false})).await.expect(202).json();
    assert_eq!((&answer["results"]["matched"], &answer["results"]["queued"]), (&json!(2), &json!(2)));
    let oldest: Vec<_> = before[..2].iter().map(|view| view.id.to_string()).collect();
    assert_eq!(ids(&answer), oldest);
    let replays: std::collections::HashSet<_> =
        answer["results"]["notifications"].as_array().unwrap().iter().map(|one| one["replayId"].to_string()).collect();
    assert_eq!(replays.len(), 2);
    assert!(answer["results"]["notifications"].as_array().unwrap().iter().all(|one| one["status"] == "Queued"));
    let tried = stage.tried(5).await;
    assert_eq!(stage.ends(&id).await, [State::Delivered, State::Delivered, State::Failed]);
    let after = stage.notifications(&id).await;
    assert_eq!(after.len(), 3, "nothing new is made");
    assert_eq!(after[0].round, 2);
    let again: std::collections::BTreeMap<_, _> =
        tried[3..].iter().map(|(_, m)| (m.id.to_string(), m.number)).collect();
    let first: std::collections::BTreeMap<_, _> =
        tried[..2].iter().map(|(_, m)| (m.id.to_string(), m.number)).collect();
    assert_eq!(again, first, "ids and numbers stay");
    let story = stage.appliance.engine.story(after[0].id).await.unwrap().unwrap().story;
    let by = format!("noc (replay {})", answer["id"].as_str().unwrap());
    assert_eq!(story.rounds[0].by, by, "who asked is kept");
}

#[tokio::test]
async fn the_limit_is_a_whole_number_up_to_the_maximum() {
    let mut setup = setup();
    setup.management.replay_max = 2;
    let stage = Stage::start(setup).await;
    stage.script.works(false);
    let made = stage.subscribe("noc", &hook("Outage", "https://example.com/cb")).await;
    for _ in 0..3 {
        stage.publish("Outage", "", &json!({})).await;
    }
    stage.ends(made["id"].as_str().unwrap()).await;
    for (limit, used) in [("1", 1), ("2", 2), ("3", 2), ("99999999999999999999999999", 2)] {
        let body = format!("{{\"limit\":{limit},\"dryRun\":true}}");
        let answer = stage.send(Call::post(REPLAYS, "noc", body)).await.expect(200).json();
        assert_eq!(answer["request"]["limit"], used, "{limit}");
        assert_eq!(answer["results"]["matched"], used, "{limit}");
    }
    for limit in ["0", "-1", "1.5", "\"1\"", "null"] {
        let body = format!("{{\"limit\":{limit},\"dryRun\":true}}");
        let answer = stage.send(Call::post(REPLAYS, "noc", body)).await.expect(400).json();
        assert_eq!(answer["message"], json!(["limit: must be a whole number, at least 1"]), "{limit}");
    }
}

#[tokio::test]
async fn each_condition_narrows() {
    let (stage, id) = failed(3).await;
    stage.publish("Outage", "1001", &json!({})).await;
    assert_eq!(stage.ends(&id).await.last(), Some(&State::Delivered));
    let activation = stage.subscribe("noc", &hook("ONTActivation", "https://example.com/cb")).await;
    stage.script.works(false);
    for status in ["Success", "Fail"] {
        stage.publish("ONTActivation", "1001", &json!({"status": status})).await;
    }
    stage.ends(activation["id"].as_str().unwrap()).await;
    let second = stage.notifications(&id).await[1].id.to_string();
    for (narrowed, count) in [
        (json!({}), 5),
        (json!({"status": "sent"}), 1),
        (json!({"id": second}), 1),
        (json!({"id": second, "status": "sent"}), 0),
        (json!({"id": "745ad5ed-0560-4c9a-bf09-6fa894808117"}), 0),
        (json!({"event": {}}), 5),
        (json!({"event": {"eventType": "Outage"}}), 3),
        (json!({"event": {"eventType": "ONTActivation"}}), 2),
        (json!({"event": {"from": "2026-11-22T10:00:01.250Z"}}), 4),
        (json!({"event": {"from": "2026-11-22T10:00:01.251Z"}}), 3),
        (json!({"event": {"to": "2026-11-22T10:00:01.250Z"}}), 1),
        (json!({"event": {"to": "2026-11-22T23:00:01.251+13:00"}}), 2),
        // 10:00 UTC is 23:00 of the same day in New Zealand.
        (json!({"event": {"from": "2026-11-22", "to": "2026-11-22"}}), 5),
        (json!({"event": {"from": "2026-11-23"}}), 0),
        (json!({"event": {"to": "2026-11-21"}}), 0),
        (json!({"event": {"eventType": "ONTActivation", "attributes": [{"status": "Fail"}]}}), 1),
        (json!({"event": {"attributes": [{"status": "Fail"}, {"status": "Success"}]}}), 2),
        (json!({"event": {"attributes": [{"__not__": {"status": "Fail"}}]}}), 4),
    ] {
        let mut body = narrowed.clone();
        (body["limit"], body["dryRun"]) = (1000.into(), true.into());
        let answer = replay(&stage, body).await.expect(200).json();
        assert_eq!(answer["results"]["matched"], count, "{narrowed}");
        for (name, value) in narrowed.as_object().unwrap().iter().filter(|(name, _)| *name != "event") {
            assert_eq!(answer["request"][name], *value, "as used");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once() {
    let stage = Stage::plain().await;
    let answer = replay(&stage, json!({})).await.expect(400).json();
    assert_eq!(answer["message"], json!(["limit: is missing", "dryRun: is missing"]));
    let answer = replay(
        &stage,
        json!({"id": "x", "status": "lost", "limit": 0, "dryRun": "yes", "clientId": 1, "event":
               {"from": "then", "colour": "red", "eventType": "Outage", "attributes": [{"status": "Fail"}]}}),
    );
    let message = answer.await.expect(400).json()["message"].to_string();
    for problem in [
        "id: must be a UUID",
        "status: must be sent or fail",
        "limit: must be",
        "dryRun: must be true or false",
        "clientId: must be a string",
        "event.from: must be an instant",
        "event.colour: colour is not one of",
        "event.attributes[0].status: is not an attribute of the event type, which declares none",
    ] {
        assert!(message.contains(problem), "{problem}: {message}");
    }
}

#[tokio::test]
async fn one_is_replayed_by_its_id_whatever_became_of_it() {
    let (stage, id) = failed(1).await;
    let view = stage.notifications(&id).await.remove(0);
    let path = format!("/notifications/v1/notifications/{}/replays", view.id);
    let one = async |client| stage.send(Call::new(hyper::Method::POST, &path, client)).await;
    for stranger in ["rival", "desk"] {
        let answer = one(stranger).await.expect(404).json();
        assert_eq!(answer["message"], "There is no such notification.", "{stranger} has not all of its parties");
    }
    let answer = one("noc").await.expect(202).json();
    assert_eq!((&answer["id"], &answer["status"]), (&json!(view.id.to_string()), &json!("Queued")));
    uuid::Uuid::parse_str(answer["replayId"].as_str().unwrap()).unwrap();
    assert_eq!(stage.ends(&id).await, [State::Delivered]);
    one("noc").await.expect(202);
    assert_eq!(stage.ends(&id).await, [State::Delivered]);
    stage.tried(3).await;
    for unknown in ["745ad5ed-0560-4c9a-bf09-6fa894808117", "0198f0c2-1111-7000-8000-000000040001", "x"] {
        let path = format!("/notifications/v1/notifications/{unknown}/replays");
        stage.send(Call::new(hyper::Method::POST, &path, "noc")).await.expect(404);
    }
}

#[tokio::test]
async fn what_waits_was_cancelled_or_has_expired_for_good_is_409_and_never_matched() {
    let stage = Stage::plain().await;
    let made = stage.subscribe("noc", &hook("Outage", "https://example.com/cb")).await;
    let id = made["id"].as_str().unwrap();
    stage.appliance.engine.pause(id).await.unwrap();
    stage.publish("Outage", "", &json!({})).await;
    let view = stage.notifications(id).await.remove(0);
    let one = async |notification: LedgerId| {
        let path = format!("/notifications/v1/notifications/{notification}/replays");
        stage.send(Call::new(hyper::Method::POST, &path, "noc")).await.expect(409).json()["message"].to_string()
    };
    let matched = async || {
        let answer = replay(&stage, json!({"limit": 10, "dryRun": false})).await.expect(202).json();
        answer["results"]["matched"].clone()
    };
    assert!(one(view.id).await.contains("it has not ended yet"));
    let filter = Filter { subscription: Some(id.into()), ..Filter::default() };
    let bulk =
        Bulk { action: BulkAction::Cancel, filter, cursor: None, limit: 10, by: "operator".to_owned(), dry_run: false };
    assert_eq!(stage.appliance.engine.act_on_all(&bulk).await.unwrap().done, 1);
    assert!(one(view.id).await.contains("it was cancelled"));
    assert_eq!(matched().await, 0);

    stage.appliance.engine.resume(id).await.unwrap();
    stage.script.works(false);
    let event = json!({"type": "Outage", "expirytime": "2026-11-22T11:00:00Z", "data": {}});
    stage.post("/v1/events", "crm", &event).await.expect(202);
    stage.publish("Outage", "", &json!({})).await;
    stage.ends(id).await;
    stage.appliance.clock.advance(Duration::from_hours(2));
    let views = stage.notifications(id).await;
    assert_eq!(counted(&views), [("cancelled", 1), ("failed", 2)].into());
    assert!(one(views[1].id).await.contains("expirytime has passed"));
    // It takes no place from what can be replayed.
    let answer = replay(&stage, json!({"limit": 1, "dryRun": false})).await.expect(202).json();
    assert_eq!(ids(&answer), [views[2].id.to_string()]);
}

#[tokio::test]
async fn another_s_are_for_administrators() {
    let (stage, id) = failed(1).await;
    for body in [
        json!({"limit": 1, "dryRun": true, "clientId": "noc"}),
        json!({"limit": 1, "dryRun": true, "organisation": "Example Fibre"}),
    ] {
        let answer = stage.post(REPLAYS, "desk", &body).await.expect(403).json();
        assert!(answer["message"].as_str().unwrap().contains("administrators"), "{answer}");
    }
    let own = json!({"limit": 1, "dryRun": true, "clientId": "noc", "organisation": "Example Fibre"});
    let matched = async |client, body: &Value| {
        stage.post(REPLAYS, client, body).await.expect(200).json()["results"]["matched"].clone()
    };
    assert_eq!(matched("noc", &own).await, 1, "one's own may be named");
    assert_eq!(matched("desk", &json!({"limit": 1, "dryRun": true})).await, 0);
    assert_eq!(matched("admin", &own).await, 1);
    assert_eq!(
        matched("admin", &json!({"limit": 1, "dryRun": true, "clientId": "noc"})).await,
        0,
        "of its own organisation"
    );
    assert_eq!(matched("admin", &json!({"limit": 1, "dryRun": true})).await, 0);
    let real = json!({"limit": 1, "dryRun": false, "clientId": "noc", "organisation": "Example Fibre"});
    stage.post(REPLAYS, "admin", &real).await.expect(202);
    assert_eq!(stage.ends(&id).await, [State::Delivered]);
}
