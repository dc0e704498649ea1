//! Which event types a registration may have, and must have.

use serde_json::{Value, json};
use tidings::model::notification::EndpointKind;

use crate::stage::{email, id_of, make, post, problems, put, setup, start, type_for, webhook};
use crate::support::{Appliance, Setup, event_type};

fn of(body: &Value, types: &[&str]) -> Value {
    let mut body = body.clone();
    body["eventTypes"] = json!(types);
    body
}

async fn refused(appliance: &Appliance, body: &Value) -> Vec<(String, String)> {
    problems(appliance.send(post("broker", body)).await)
}

#[tokio::test]
async fn a_webhook_has_at_least_one_preferred_type_and_every_mandatory_one() {
    let appliance = start(setup()).await;
    for (types, field, word) in [
        (&["WORKSPACE_LODGED"][..], "eventTypes", "[SECRET_EXPIRY] is missing: it is mandatory for WEBHOOK"),
        (&["SECRET_EXPIRY"], "eventTypes", "at least one preferred"),
        (
            &["SECRET_EXPIRY", "NETTING_COMPLETED"],
            "eventTypes[1]",
            "[NETTING_COMPLETED] is for EMAIL registrations only",
        ),
        (&["WORKSPACE_LODGED", "SECRET_EXPIRY", "TITLE_LOST"], "eventTypes[2]", "[TITLE_LOST] is unknown"),
        (
            &["WORKSPACE_LODGED", "SECRET_EXPIRY", "WORKSPACE_LODGED"],
            "eventTypes[2]",
            "[WORKSPACE_LODGED] is there twice",
        ),
        (&["WORKSPACE_LODGED", "SECRET_EXPIRY", "tidings.disk.low"], "eventTypes[2]", "[tidings.disk.low] is unknown"),
    ] {
        let refused = refused(&appliance, &of(&webhook(), types)).await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].0 == field && refused[0].1.contains(word), "{refused:?}");
    }
    let none = refused(&appliance, &of(&webhook(), &[])).await;
    assert_eq!(none.len(), 2, "{none:?}");
    make(&appliance, "broker", &of(&webhook(), &["SECRET_EXPIRY", "TITLE_NOT_FOUND", "WORKSPACE_CLOSED"])).await;
}

#[tokio::test]
async fn a_type_that_nobody_has_declared_is_unknown_even_where_it_may_be_published() {
    let appliance = start(Setup { closed: false, ..setup() }).await;
    let wrong = |type_: &str| vec![("eventTypes[1]".to_owned(), format!("the event type [{type_}] is unknown"))];
    let types = ["SECRET_EXPIRY", "WORKSPACE_LOGDED", "WORKSPACE_LODGED"];
    assert_eq!(refused(&appliance, &of(&webhook(), &types)).await, wrong(types[1]));
    assert_eq!(refused(&appliance, &of(&email(), &["NETTING_COMPLETED", "NETTING"])).await, wrong("NETTING"));
    make(&appliance, "broker", &webhook()).await;
}

#[tokio::test]
async fn an_email_has_a_preferred_type_when_it_is_made_and_may_lose_all_later() {
    let appliance = start(setup()).await;
    assert_eq!(refused(&appliance, &of(&email(), &[])).await.len(), 1);
    for wrong in ["WORKSPACE_LODGED", "SECRET_EXPIRY"] {
        let refused = refused(&appliance, &of(&email(), &["NETTING_COMPLETED", wrong])).await;
        assert_eq!(
            refused,
            [("eventTypes[1]".to_owned(), format!("the event type [{wrong}] is for WEBHOOK registrations only"))]
        );
    }
    let id = id_of(&make(&appliance, "broker", &email()).await);
    let emptied = appliance.send(put(&id, "broker", &of(&email(), &[]))).await.expect(200);
    assert_eq!(emptied.json()["eventTypes"], json!([]));
    appliance.send(put(&id, "broker", &of(&email(), &["NETTING_COMPLETED"]))).await.expect(200);
}

#[tokio::test]
async fn a_webhook_never_loses_them() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    for types in [&[][..], &["SECRET_EXPIRY"], &["WORKSPACE_LODGED"]] {
        problems(appliance.send(put(&id, "broker", &of(&webhook(), types))).await);
    }
}

#[tokio::test]
async fn the_catalogue_says_what_is_mandatory_and_for_which_contract_a_type_is() {
    let mut setup = setup();
    let mut title = type_for("TITLE_NEWS", EndpointKind::Email);
    title.mandatory = vec![EndpointKind::Email];
    let mut elsewhere = event_type("ELSEWHERE");
    elsewhere.contracts = Some(vec!["polling".to_owned()]);
    setup.event_types.extend([title, elsewhere]);
    let appliance = start(setup).await;
    let refused = refused(&appliance, &of(&email(), &["NETTING_COMPLETED", "ELSEWHERE"])).await;
    assert_eq!(refused[0], ("eventTypes[1]".to_owned(), "the event type [ELSEWHERE] is unknown".to_owned()));
    assert!(refused[1].1.contains("[TITLE_NEWS] is missing: it is mandatory for EMAIL"), "{refused:?}");
    make(&appliance, "broker", &of(&email(), &["NETTING_COMPLETED", "TITLE_NEWS"])).await;
    make(&appliance, "broker", &webhook()).await;
}

#[tokio::test]
async fn the_built_in_type_is_for_webhooks_of_registrations_alone_and_cannot_be_published() {
    let appliance = start(setup()).await;
    let polled = json!({"event_type_ids": ["SECRET_EXPIRY"], "client_id": "crm"}).to_string();
    let call = crate::support::client::Call::post("/notification/v1/subscriptions", "crm", polled);
    appliance.send(call).await.expect(400);
    let event = crate::support::client::Call::post("/v1/events", "crm", r#"{"type":"SECRET_EXPIRY","data":{}}"#);
    appliance.send(event).await.expect(403);
}
