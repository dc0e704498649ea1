//! How each route that changes something is called so that it succeeds. A route without a recipe fails the walk.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::calls::Call;
use crate::stage::{SECRET, Stage, Target};

/// A call that succeeds, and what the audit trail is to say of it.
pub(crate) struct Recipe {
    pub(crate) call: Call,
    pub(crate) object: Object,
}

/// What the line names as changed.
pub(crate) enum Object {
    /// This.
    Known(String),
    /// What the answer tells.
    Told(fn(&Value) -> String),
    /// Nothing: a token has no name.
    None,
}

/// The subscription that the files declare.
const DECLARED: &str = "declared";

/// A customer who polls.
const CUSTOMER: &str = r#"{"keys": {"customerId": "42"}, "channels": ["poll"], "poll": {"client_id": "driver"}}"#;

/// The body of a cancellation of all that waits for the declared subscription.
const ALL_WAITING: &str = r#"{"subscription": "declared", "state": "queued"}"#;

/// The recipe for `target`, with `token` of a client that may do all.
pub(crate) async fn recipe(stage: &Stage, target: &Target, token: &str) -> Recipe {
    let known = |id: &str, body: &str| Recipe {
        call: target.call(&[id]).bearer(token).json(body),
        object: Object::Known(id.to_owned()),
    };
    let bulk = |body: &str| Recipe {
        call: target.call(&[]).bearer(token).json(body),
        object: Object::Told(|answer| format!("{} notifications", answer["done"])),
    };
    match (target.contract, target.route.label) {
        ("root", "token") => {
            let body = format!("grant_type=client_credentials&client_id=driver&client_secret={SECRET}");
            Recipe { call: target.call(&[]).form(&body), object: Object::None }
        }
        ("root", "revoke") => {
            let body = format!("token={token}x&client_id=driver&client_secret={SECRET}");
            Recipe { call: target.call(&[]).form(&body), object: Object::Known("driver".to_owned()) }
        }
        ("events", "rotate_keys" | "rotate_webhook_keys") => Recipe {
            call: target.call(&[]).bearer(token).json("{}"),
            object: Object::Told(|answer| text(&answer["keyId"])),
        },
        ("polling", "subscribe") => Recipe {
            call: subscribe(target.call(&[])).bearer(token),
            object: Object::Told(|answer| text(&answer["id"])),
        },
        ("polling", "unsubscribe") | ("events", "delete_subscription") => known(&subscribed(stage, token).await, ""),
        ("management", "subscribe") => Recipe {
            call: target.call(&[]).bearer(token).json(MANAGED),
            object: Object::Told(|answer| text(&answer["id"])),
        },
        ("management", "change") => known(&managed(stage, token).await, r#"{"expiresOn": "2099-01-01"}"#),
        ("management", "unsubscribe") => known(&managed(stage, token).await, ""),
        ("management", "replay") => Recipe {
            call: target.call(&[]).bearer(token).json(r#"{"limit": 1, "dryRun": false}"#),
            object: Object::Told(|answer| format!("{} notifications", answer["results"]["queued"])),
        },
        ("management", "replay_one") => known(&expired_managed(stage, token).await, ""),
        ("recipients", "configure") => {
            Recipe { call: target.call(&[]).bearer(token).json("{}"), object: Object::Known("acme".to_owned()) }
        }
        ("events", "put_customer") => known("jane", CUSTOMER),
        ("events", "erase_customer") => {
            let put = Call::new("PUT", "/v1/customers/gone").bearer(token).json(CUSTOMER.replace("42", "43"));
            stage.send(&put).await.expect(201);
            known("gone", "")
        }
        ("events", "cancel") => known(&notified(stage, token).await, ""),
        ("events", "retry") => {
            let id = notified(stage, token).await;
            let cancelled = Call::new("POST", &format!("/v1/notifications/{id}/cancel")).bearer(token);
            stage.send(&cancelled).await.expect(200);
            known(&id, "")
        }
        ("events", "cancellations") => {
            notified(stage, token).await;
            bulk(ALL_WAITING)
        }
        ("events", "replays") => bulk(r#"{"subscription": "declared", "state": "cancelled"}"#),
        ("events", "pause" | "resume") => known(DECLARED, ""),
        ("events", "lift_suppression") => known("nobody@example.com", ""),
        ("events", "purge") => known("driver", ""),
        ("registrations", "create") => Recipe {
            call: registration(target.call(&[])).bearer(token),
            object: Object::Told(|answer| text(&answer["registrationId"])),
        },
        ("registrations", "update") => {
            let id = registered(stage, token).await;
            Recipe { call: registration(target.call(&[&id])).bearer(token), object: Object::Known(id) }
        }
        ("registrations", "delete" | "rotate") => known(&registered(stage, token).await, ""),
        ("registrations", "retry") => known(&expired_registered(stage, token).await, ""),
        ("registrations", "add_domain") => Recipe {
            call: target.call(&[]).bearer(token).json(r#"{"webhookDomain": "example.com"}"#),
            object: Object::Known("example.com".to_owned()),
        },
        ("registrations", "remove_domain") => {
            let add = Call::new("POST", &format!("{REGISTRATIONS}/webhook-domains")).bearer(token);
            stage.send(&add.json(r#"{"webhookDomain": "example.com"}"#)).await.expect(201);
            known("example.com", "")
        }
        ("admin", "reload") => Recipe {
            call: target.call(&[]).bearer(token).json("{}"),
            object: Object::Told(|answer| text(&answer["digest"])),
        },
        ("events", "accept_clock") => Recipe { call: target.call(&[]).bearer(token), object: Object::None },
        (contract, label) => panic!(
            "{contract}/{label} changes something ({:?}): write down in tests/audit/recipes.rs how it is called",
            target.change()
        ),
    }
}

fn subscribe(call: Call) -> Call {
    call.json(r#"{"event_type_ids": ["301"], "client_id": "driver"}"#)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The id of a new subscription.
async fn subscribed(stage: &Stage, token: &str) -> String {
    let made = subscribe(Call::new("POST", "/notification/v1/subscriptions")).bearer(token);
    text(&stage.send(&made).await.expect(201).json()["id"])
}

/// The id of a notification that waits for the declared subscription.
async fn notified(stage: &Stage, token: &str) -> String {
    let published = Call::new("POST", "/v1/events").bearer(token).json(r#"{"type": "301", "data": {}}"#);
    stage.send(&published).await.expect(202);
    let waiting = Call::new("GET", "/v1/notifications?subscription=declared&state=queued").bearer(token);
    text(&stage.send(&waiting).await.expect(200).json()["notifications"][0]["id"])
}

const REGISTRATIONS: &str = "/partner/api/notification/v2";

/// A registration with a URL of its own, where nobody listens.
fn registration(call: Call) -> Call {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    call.json(format!(
        r#"{{"notificationType": "WEBHOOK", "eventTypes": ["BRIEF", "SECRET_EXPIRY"],
            "attributes": {{"webhookURI": "https://127.0.0.1:9/{number}"}}}}"#
    ))
}

/// The id of a new registration.
async fn registered(stage: &Stage, token: &str) -> String {
    let make = registration(Call::new("POST", &format!("{REGISTRATIONS}/notification-registrations"))).bearer(token);
    text(&stage.send(&make).await.expect(201).json()["registrationId"])
}

/// The id of a notification for a registration whose short time is over.
async fn expired_registered(stage: &Stage, token: &str) -> String {
    registered(stage, token).await;
    let published = Call::new("POST", "/v1/events").bearer(token).json(r#"{"type": "BRIEF", "data": {}}"#);
    stage.send(&published).await.expect(202);
    let failed = Call::new("GET", &format!("{REGISTRATIONS}/notifications?status=FAILED")).bearer(token);
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let listed = stage.send(&failed).await.expect(200).json();
        match listed["notificationEvents"].get(0) {
            Some(first) => return text(&first["notificationId"]),
            None => assert!(tokio::time::Instant::now() < until, "it never expires"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A subscription of the management contract to what lives for a second.
const MANAGED: &str = r#"{"eventType": "brief", "contactEmails": [{"email": "noc@example.com"}],
    "notificationChannels": {"webhook": [{"webhook": [{"callbackUri": "https://10.0.0.7/"}]}]}}"#;

/// The id of a new one.
async fn managed(stage: &Stage, token: &str) -> String {
    let made = Call::new("POST", "/notifications/v1/subscriptions").bearer(token).json(MANAGED);
    text(&stage.send(&made).await.expect(201).json()["id"])
}

/// The id of a notification of one, that has expired.
async fn expired_managed(stage: &Stage, token: &str) -> String {
    let id = managed(stage, token).await;
    let published = Call::new("POST", "/v1/events").bearer(token).json(r#"{"type": "brief", "data": {}}"#);
    stage.send(&published).await.expect(202);
    let ended = Call::new("GET", &format!("/v1/notifications?subscription={id}&state=expired")).bearer(token);
    for _ in 0..1000 {
        if let Some(one) = stage.send(&ended).await.expect(200).json()["notifications"].get(0) {
            return text(&one["id"]);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not expire");
}
