//! What arrives at a webhook, and how it proves where it comes from.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings::channel::webhook::Answers;
use tidings::model::subscription::HoldReason;

use crate::stage::{
    OTHER, SUBSCRIBER, channels, delivering, id_of, key, make, notifications, post, rotate, setup, webhook_to,
};
use crate::support::client::Call;
use crate::support::{Appliance, until};
use crate::upstream::{Reply, Upstream};

/// How long a secret lasts.
const YEAR: Duration = Duration::from_hours(365 * 24);

/// A request that came.
struct Came {
    headers: Vec<(String, String)>,
    body: String,
}

impl Came {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Self { headers, body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// With which of the keys it is signed, as a receiver finds out (Standard Webhooks, "Verifying signatures").
    fn signed_with(&self, keys: &[Vec<u8>]) -> Vec<usize> {
        let (id, time) = (self.header("webhook-id").unwrap(), self.header("webhook-timestamp").unwrap());
        let content = format!("{id}.{time}.{}", self.body);
        let signatures = self.header("webhook-signature").unwrap();
        let signatures: Vec<_> =
            signatures.split(' ').map(|one| STANDARD.decode(one.strip_prefix("v1,").unwrap()).unwrap()).collect();
        let verifies = |key: &Vec<u8>| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            signatures.iter().any(|signature| hmac::verify(&key, content.as_bytes(), signature).is_ok())
        };
        (0..keys.len()).filter(|index| verifies(&keys[*index])).collect()
    }
}

/// An appliance and a receiver, and the registration for it.
async fn registered(header: Option<&'static str>) -> (Appliance, Upstream, Value) {
    let receiver = Upstream::start(Reply::ok("")).await;
    let channels = channels(&[&receiver.address.to_string()], Answers::Kept, |settings| {
        settings.registration_header = header.map(|name| name.parse().unwrap());
    });
    let appliance = delivering(setup(), channels).await;
    let made = make(&appliance, "broker", &webhook_to(&receiver.url("hook"))).await;
    (appliance, receiver, made)
}

async fn came(receiver: &Upstream, count: usize) -> Came {
    until("the receiver has it", || receiver.hits() == count).await;
    Came::read(&receiver.requests()[count - 1])
}

/// What time brings has been seen to: two sweeps have begun after now and ended.
async fn swept(appliance: &Appliance) {
    for _ in 0..2 {
        let runs = appliance.engine.sweep_status().runs;
        appliance.clock.advance(Duration::from_secs(1));
        until("a sweep", || appliance.engine.sweep_status().runs > runs).await;
    }
}

#[tokio::test]
async fn the_body_is_the_contract_s_and_the_data_are_the_producer_s() {
    let (appliance, receiver, made) = registered(None).await;
    let event = r#"{"type":"WORKSPACE_LODGED","time":"2026-11-22T22:59:58.5+13:00","data":{ "amount" : 1.50, "n":12345678901234567890 }}"#;
    appliance.publish(event).await;
    let came = came(&receiver, 1).await;
    assert_eq!(came.header("content-type"), Some("application/json"));
    let id = came.header("webhook-id").unwrap();
    let expected = format!(
        r#"{{"notificationId":"{id}","eventType":"WORKSPACE_LODGED","eventTimestamp":"2026-11-22T09:59:58.500Z","subscriberId":"{SUBSCRIBER}","registrationId":"{}","data":{{ "amount" : 1.50, "n":12345678901234567890 }}}}"#,
        id_of(&made)
    );
    assert_eq!(came.body, expected);
    assert_eq!(came.signed_with(&[key(made["sharedSecret"].as_str().unwrap()), vec![0; 32]]), [0]);
    let listed = notifications(&appliance, "broker", "").await;
    assert_eq!(listed["notificationEvents"][0]["notificationId"], id);
}

#[tokio::test]
async fn an_event_without_time_and_data_has_both_all_the_same() {
    let (appliance, receiver, _) = registered(None).await;
    appliance.publish(r#"{"type":"WORKSPACE_LODGED"}"#).await;
    let body: Value = serde_json::from_str(&came(&receiver, 1).await.body).unwrap();
    assert_eq!((&body["data"], &body["eventTimestamp"]), (&json!({}), &json!("2026-11-22T10:00:00.250Z")));
}

#[tokio::test]
async fn both_secrets_sign_after_a_rotation_and_one_with_an_overlap_of_none() {
    let (appliance, receiver, made) = registered(None).await;
    let mut keys = vec![key(made["sharedSecret"].as_str().unwrap())];
    for (query, expected) in [("", &[0, 1][..]), ("?overlap=0", &[2])] {
        let rotated = appliance.send(rotate(&id_of(&made), "broker", query)).await.expect(200).json();
        keys.push(key(rotated["sharedSecret"].as_str().unwrap()));
        appliance.publish(r#"{"type":"WORKSPACE_LODGED","data":{}}"#).await;
        assert_eq!(came(&receiver, keys.len() - 1).await.signed_with(&keys), expected);
    }
}

#[tokio::test]
async fn the_secret_itself_is_the_proof_where_the_files_say_so() {
    let (appliance, receiver, made) = registered(Some("x-shared-secret")).await;
    appliance.publish(r#"{"type":"WORKSPACE_LODGED","data":{}}"#).await;
    let first = came(&receiver, 1).await;
    assert_eq!(first.header("x-shared-secret"), made["sharedSecret"].as_str());
    assert_eq!(first.header("webhook-signature"), None);
    assert!(first.header("webhook-id").is_some() && first.header("webhook-timestamp").is_some());
    let rotated = appliance.send(rotate(&id_of(&made), "broker", "")).await.expect(200).json();
    appliance.publish(r#"{"type":"WORKSPACE_LODGED","data":{}}"#).await;
    let second = came(&receiver, 2).await;
    assert_eq!(second.header("x-shared-secret"), rotated["sharedSecret"].as_str(), "one only, the newest");
}

#[tokio::test]
async fn an_audience_decides_who_gets_it() {
    let (appliance, receiver, _) = registered(None).await;
    make(&appliance, "rival", &webhook_to(&receiver.url("rival"))).await;
    let publish = async |audience: &str| {
        let event = json!({"type": "WORKSPACE_LODGED", "audience": audience, "data": {}}).to_string();
        appliance.send(Call::post("/v1/events", "crm", event)).await.expect(202).json()["matched"].clone()
    };
    assert_eq!(publish(SUBSCRIBER).await, 1);
    assert_eq!(publish(crate::stage::OTHER).await, 1);
    assert_eq!(publish("somebody-else").await, 0);
    until("both have theirs", || receiver.hits() == 2).await;
    let requests = receiver.requests();
    let own = |request: &&String| request.starts_with("POST /rival ") == request.contains(crate::stage::OTHER);
    assert_eq!(requests.iter().filter(own).count(), 2, "{requests:?}");
}

#[tokio::test]
async fn what_an_administrator_makes_is_for_the_subscriber_that_it_names() {
    let (appliance, receiver, made) = registered(None).await;
    let mut call = post("admin", &webhook_to(&receiver.url("theirs")));
    call.path = format!("{}?subscriberId={OTHER}", call.path);
    appliance.send(call).await.expect(201);
    for (audience, matched) in [(OTHER, 1), (SUBSCRIBER, 1), ("somebody-else", 0)] {
        let event = json!({"type": "WORKSPACE_LODGED", "audience": audience, "data": {}}).to_string();
        let receipt = appliance.send(Call::post("/v1/events", "crm", event)).await.expect(202).json();
        assert_eq!(receipt["matched"], matched, "{audience}");
    }
    until("both have theirs", || receiver.hits() == 2).await;
    let theirs = receiver.requests().into_iter().find(|request| request.starts_with("POST /theirs ")).unwrap();
    assert!(theirs.contains(OTHER) && !theirs.contains(&id_of(&made)), "{theirs}");
}

#[tokio::test]
async fn an_expired_secret_holds_what_waits_until_it_is_rotated() {
    let (appliance, receiver, made) = registered(None).await;
    appliance.clock.advance(YEAR);
    appliance.publish(r#"{"type":"WORKSPACE_LODGED","data":{}}"#).await;
    let held = || {
        let states = appliance.engine.endpoint_states(&id_of(&made));
        states[0].standing.hold.as_ref().is_some_and(|hold| hold.reason == HoldReason::SecretExpired)
    };
    until("its endpoint is held", held).await;
    assert_eq!(receiver.hits(), 0);
    let waiting = notifications(&appliance, "broker", "?status=PENDING").await;
    assert_eq!(waiting["notificationEvents"].as_array().unwrap().len(), 1);
    let rotated = appliance.send(rotate(&id_of(&made), "broker", "")).await.expect(200).json();
    let new = key(rotated["sharedSecret"].as_str().unwrap());
    assert_eq!(came(&receiver, 1).await.signed_with(&[new]), [0]);
}

#[tokio::test]
async fn the_end_of_a_secret_is_told_to_its_own_registration_thirty_days_ahead() {
    let (appliance, receiver, made) = registered(None).await;
    appliance.clock.advance(Duration::from_hours(24));
    make(&appliance, "broker", &webhook_to(&receiver.url("other"))).await;
    appliance.clock.advance(YEAR.saturating_sub(Duration::from_hours(31 * 24)));
    tokio::spawn(appliance.engine.clone().run_sweeps());
    swept(&appliance).await;
    let told: Value = serde_json::from_str(&came(&receiver, 1).await.body).unwrap();
    assert_eq!((&told["eventType"], &told["registrationId"]), (&json!("SECRET_EXPIRY"), &made["registrationId"]));
    assert_eq!(told["data"]["registrationId"], made["registrationId"]);
    assert_eq!(told["data"]["expiry"], "2027-11-22T10:00:00Z");
    assert!(receiver.requests()[0].starts_with("POST /hook "));
    appliance.send(rotate(&id_of(&made), "broker", "")).await.expect(200);
    swept(&appliance).await;
    let all = notifications(&appliance, "broker", "").await;
    assert_eq!(all["notificationEvents"].as_array().unwrap().len(), 1, "once, and not for a new secret");
}
