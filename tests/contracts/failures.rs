//! What the appliance itself could not do, in each contract's own body: 500 where something of it is broken, 503 where
//! its disk is for now. Neither says what it was, which is for the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Method;
use serde_json::{Value, json};
use tidings::store::Store as _;

use crate::management::{self, REPLAYS, SUBSCRIPTIONS, Stage};
use crate::recipients::{TABLE, patch};
use crate::registrations::{self, MOUNT};
use crate::site::{ALPHA, CUSTOMER, NOTICE, managed, registration, setup};
use crate::support::client::{Answer, Call, notifications, subscription};
use crate::support::{BadDisk, PUBLIC_URL, Setup, until};
use crate::trigger::command;

/// The answer is an error of this contract with this status, and tells nothing of what has happened; its text.
#[track_caller]
pub(crate) fn refused(contract: &str, answer: Answer, status: u16) -> String {
    let answer = answer.expect(status);
    let later = matches!(status, 429 | 503 | 507);
    assert_eq!(answer.header("retry-after").is_some(), later, "{contract}: {:?}", answer.headers);
    let is_problem = matches!(contract, "events" | "customers");
    let expected = if is_problem { "application/problem+json" } else { "application/json" };
    assert_eq!(answer.header("content-type"), Some(expected), "{contract}");
    let (text, body) = (answer.text(), answer.json());
    for inside in ["burnt", "asked for", "an event's row", "panic"] {
        assert!(!text.contains(inside), "{contract}: {text}");
    }
    let (member, wanted): (&str, Value) = match (contract, status) {
        ("polling", 500) => ("/code", "NOT000012".into()),
        ("polling", 503) => ("/code", "NOT000011".into()),
        ("polling", 429) => ("/code", "NOT000010".into()),
        ("registrations", 500) => ("/errors/0/code", "TDG.REG.014".into()),
        ("registrations", 503) => ("/errors/0/code", "TDG.REG.013".into()),
        ("registrations", 429) => ("/errors/0/code", "TDG.REG.012".into()),
        ("management" | "events" | "customers", _) => {
            (if contract == "management" { "/statusCode" } else { "/status" }, status.into())
        }
        ("recipients", _) => ("/detail", body["detail"].clone()),
        ("trigger", 500) => ("/code", "internal-server-error".into()),
        ("trigger", 503) => ("/code", "service-unavailable".into()),
        other => panic!("{other:?} is not expected"),
    };
    assert_eq!(body.pointer(member), Some(&wanted), "{contract}: {text}");
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    match contract {
        "registrations" => assert_eq!(members, ["errors"]),
        "management" => assert_eq!(members, ["message", "statusCode"]),
        "recipients" => assert_eq!(members, ["detail"]),
        "trigger" => assert_eq!(members, ["code", "debugTrace", "message", "validationErrors"]),
        "events" | "customers" => assert!(body["type"].as_str().unwrap().starts_with(PUBLIC_URL)),
        _ => {}
    }
    text
}

fn sending(method: Method, path: &str, body: &Value) -> Call {
    Call::new(method, path, "alpha").header("content-type", "application/json").body(body.to_string())
}

/// What [`calls`] are made on.
pub(crate) struct Made {
    pub(crate) queue: String,
    registration: String,
    managed: String,
}

impl Made {
    pub(crate) async fn on(stage: &Stage) -> Self {
        stage.appliance.configure("alpha", json!({NOTICE: ["group@example.com"]}).to_string()).await.expect(200);
        let body = managed(NOTICE, &["https://example.com/managed".to_owned()], &json!({}));
        Self {
            queue: stage.appliance.subscribe("alpha", &[NOTICE]).await,
            registration: stage.register("alpha", NOTICE, "https://example.com/registered").await,
            managed: stage.manage("alpha", &body).await,
        }
    }

    /// Calls that change something, of each contract; `n` makes them others than before.
    pub(crate) fn changes(&self, n: u32) -> Vec<(&'static str, Call)> {
        let Self { queue: _, registration: registered, managed: id } = self;
        let other = format!("https://example.com/{n}");
        let domain = json!({"webhookDomain": "example.com"});
        let table = json!({NOTICE: [format!("g{n}@example.com")]}).to_string();
        let trigger = json!({"type": NOTICE, "parameters": {"customerId": CUSTOMER, "n": n}}).to_string();
        let jane = json!({"keys": {"accountId": n.to_string()}, "channels": ["email"], "email": "j@example.com"});
        vec![
            (
                "polling",
                sending(
                    Method::POST,
                    "/notification/v1/subscriptions",
                    &json!({"event_type_ids": [NOTICE], "client_id": "alpha"}),
                ),
            ),
            ("registrations", registrations::post("alpha", &registration(NOTICE, &other))),
            ("registrations", registrations::put(registered, "alpha", &registration(NOTICE, &format!("{other}/put")))),
            ("registrations", registrations::rotate(registered, "alpha", "")),
            ("registrations", sending(Method::POST, &format!("{MOUNT}/webhook-domains"), &domain)),
            ("management", sending(Method::POST, SUBSCRIPTIONS, &managed(NOTICE, &[other], &json!({})))),
            ("management", sending(Method::PATCH, &management::subscription(id), &json!({"expiresOn": "2027-01-01"}))),
            ("recipients", patch("alpha", table)),
            ("trigger", command(trigger)),
            ("events", sending(Method::POST, "/v1/events", &json!({"type": NOTICE}))),
            ("customers", crate::trigger::put("alpha", "jane", &jane)),
        ]
    }

    /// Calls that end something.
    pub(crate) fn ends(&self) -> Vec<(&'static str, Call)> {
        vec![
            ("polling", Call::delete(&subscription(&self.queue), "alpha")),
            ("registrations", Call::delete(&registrations::path(&self.registration), "alpha")),
            ("management", Call::delete(&management::subscription(&self.managed), "alpha")),
        ]
    }

    /// Calls that only look.
    pub(crate) fn looks(&self) -> Vec<(&'static str, Call)> {
        vec![
            ("polling", Call::get(&subscription(&self.queue), "alpha")),
            ("polling", Call::get(&notifications(&self.queue), "alpha")),
            ("registrations", Call::get(&registrations::path(""), "alpha")),
            ("registrations", Call::get(&format!("{MOUNT}/notifications"), "alpha")),
            ("registrations", Call::get(&format!("{MOUNT}/webhook-domains"), "alpha")),
            ("management", Call::get(SUBSCRIPTIONS, "alpha")),
            ("management", Call::get(&management::subscription(&self.managed), "alpha")),
            ("recipients", Call::get(TABLE, "alpha")),
            ("events", Call::get("/v1/subscriptions", "alpha")),
        ]
    }
}

#[tokio::test]
async fn a_fault_of_our_own_is_500_and_the_next_call_is_answered() {
    let panics = Arc::new(AtomicBool::new(false));
    let stage = Stage::start(Setup { panics: Some(panics.clone()), ..setup() }).await;
    let made = Made::on(&stage).await;
    panics.store(true, Ordering::SeqCst);
    for (contract, call) in made.changes(1).into_iter().chain(made.looks()).chain(made.ends()) {
        refused(contract, stage.send(call).await, 500);
    }
    panics.store(false, Ordering::SeqCst);
    for (_, call) in made.looks().into_iter().chain(made.changes(1)).chain(made.ends()) {
        let what = format!("{} {}", call.method, call.path);
        let answer = stage.send(call).await;
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_disk_that_fails_is_503_for_what_changes_and_nothing_is_changed() {
    let disk = Arc::new(BadDisk::default());
    let stage = Stage::start(Setup { faults: Some(disk.clone()), ..setup() }).await;
    let made = Made::on(&stage).await;
    let before = stage.appliance.store.subscriptions().iter().cloned().collect::<Vec<_>>();
    disk.fail(true);
    for (contract, call) in made.changes(1).into_iter().chain(made.ends()) {
        refused(contract, stage.send(call).await, 503);
    }
    disk.fail(false);
    until("the store is well again", || stage.appliance.store.trouble().is_none()).await;
    let after = stage.appliance.store.subscriptions().iter().cloned().collect::<Vec<_>>();
    assert_eq!(after.len(), before.len());
    assert!(before.iter().all(|one| after.contains(one)));
    for (_, call) in made.changes(1).into_iter().chain(made.ends()) {
        let what = format!("{} {}", call.method, call.path);
        let answer = stage.send(call).await;
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
    }
}

/// Spoils the rows of all events but the last one, which has the store's own state too.
fn spoil_events(file: &Path) {
    const EVENTS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("events");
    use redb::ReadableTable as _;
    let db = redb::Database::open(file).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut events = write.open_table(EVENTS).unwrap();
        let mut positions: Vec<_> = events.iter().unwrap().map(|row| row.unwrap().0.value()).collect();
        positions.pop();
        for position in positions {
            events.insert(position, [0xff; 40].as_slice()).unwrap();
        }
    }
    write.commit().unwrap();
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_500_in_the_words_of_who_asks_for_it() {
    let stage = Stage::start(setup()).await;
    let made = Made::on(&stage).await;
    stage.script.works(false);
    for _ in 0..2 {
        stage.tell(NOTICE, Some(ALPHA), &json!({"status": "Fail"})).await;
        stage.ends(&made.registration).await;
        stage.ends(&made.managed).await;
    }
    let oldest = async |id: &str| stage.notifications(id).await[0].id;
    let (registered, managed) = (oldest(&made.registration).await, oldest(&made.managed).await);
    // From now on a start reads the heads of the events and not them themselves.
    while stage.appliance.store.sweep().await.unwrap().more {}
    // The randomness begins anew: an id made at the same instant would be taken.
    stage.appliance.clock.advance(std::time::Duration::from_secs(1));
    let Stage { appliance, script } = stage;
    let stage = Stage { appliance: appliance.restart_after(setup(), spoil_events).await, script };
    stage.open();
    let post = |path: &str| Call::new(Method::POST, path, "alpha");
    let replay =
        json!({"limit": 10, "dryRun": true, "event": {"eventType": NOTICE, "attributes": [{"status": "Fail"}]}});
    for (contract, call) in [
        ("registrations", Call::get(&format!("{MOUNT}/notifications"), "alpha")),
        ("registrations", post(&format!("{MOUNT}/notifications/{registered}/retry-notifications"))),
        ("management", post(&format!("/notifications/v1/notifications/{managed}/replays"))),
        ("management", sending(Method::POST, REPLAYS, &replay)),
        ("polling", Call::get(&notifications(&made.queue), "alpha")),
        ("events", Call::get(&format!("/v1/notifications/{managed}"), "alpha")),
    ] {
        let what = format!("{} {}", call.method, call.path);
        let answer = stage.send(call).await;
        assert_eq!(answer.status, 500, "{what}: {}", answer.text());
        refused(contract, answer, 500);
    }
    // All else goes on.
    for (_, call) in made.changes(1) {
        let what = format!("{} {}", call.method, call.path);
        let answer = stage.send(call).await;
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.text());
    }
}
