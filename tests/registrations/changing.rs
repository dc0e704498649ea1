//! Changing and deleting.

use serde_json::{Value, json};
use tidings::model::subscription::{ContractName, SubscriptionDraft};
use tidings::model::target::{Shape, SigningSecret, Target, WebhookTarget};

use crate::stage::{
    SUBSCRIBER, count, email, error, errors, id_of, list, make, path, post, problems, put, rotate, setup, start,
    webhook, webhook_to,
};
use crate::support::client::Call;
use crate::support::{Setup, declared};

/// An appliance's settings with a registration that the files declare.
fn with_declared() -> Setup {
    let key = vec![7; 32].into();
    let hook = WebhookTarget {
        shape: Shape::Registration,
        secrets: vec![SigningSecret { key, not_before: None, not_after: None }],
        ..WebhookTarget::new("https://example.com/declared", "plant")
    };
    let draft = SubscriptionDraft {
        contract: ContractName::Registrations,
        holders: vec![SUBSCRIBER.to_owned()],
        endpoints: vec![Target::Webhook(hook)],
        ..declared("broker-lodged", "broker", &["WORKSPACE_LODGED", "SECRET_EXPIRY"])
    };
    Setup { declared: vec![draft], ..setup() }
}

#[tokio::test]
async fn a_webhook_becomes_what_the_body_says_and_keeps_its_secret() {
    let appliance = start(crate::stage::with(|settings| settings.show_secret = true)).await;
    let made = make(&appliance, "broker", &webhook()).await;
    let mut body = webhook_to("https://example.com/elsewhere/");
    body["eventTypes"] = json!(["SECRET_EXPIRY", "TITLE_NOT_FOUND"]);
    let changed = appliance.send(put(&id_of(&made), "broker", &body)).await.expect(200).json();
    let mut expected = made.clone();
    expected["webhookURI"] = "https://example.com/elsewhere".into();
    expected["eventTypes"] = json!(["SECRET_EXPIRY", "TITLE_NOT_FOUND"]);
    assert_eq!(changed, expected);
    assert_eq!(list(&appliance, "broker", "").await["records"], json!([expected]));
    // The same once more is no conflict with itself.
    appliance.send(put(&id_of(&made), "broker", &body)).await.expect(200);
}

#[tokio::test]
async fn an_address_can_be_another_one() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &email()).await);
    let mut body = email();
    body["attributes"]["email"] = "other@company.com".into();
    let changed = appliance.send(put(&id, "broker", &body)).await.expect(200).json();
    assert_eq!((&changed["email"], &changed["registrationId"]), (&json!("other@company.com"), &json!(id)));
}

#[tokio::test]
async fn what_was_answered_can_be_put_back() {
    let appliance = start(setup()).await;
    let made = make(&appliance, "broker", &webhook()).await;
    let mut body: Value = made.clone();
    body["attributes"] = webhook()["attributes"].clone();
    body["webhookURI"] = "https://ignored.example.com".into();
    body["subscriberId"] = "ignored".into();
    let changed = appliance.send(put(&id_of(&made), "broker", &body)).await.expect(200).json();
    assert_eq!(changed["webhookURI"], "https://example.com/webhook");
    assert_eq!(changed["subscriberId"], SUBSCRIBER);
    let counted = "tidings_api_ignored_members_total{contract=\"registrations\"} 0\n";
    assert!(appliance.metrics().contains(counted), "read-only members are no unknown ones");
}

#[tokio::test]
async fn the_type_stays_what_it_is() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    let refused = problems(appliance.send(put(&id, "broker", &email())).await);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].0, "notificationType");
    assert!(refused[0].1.contains("WEBHOOK"), "{refused:?}");
}

#[tokio::test]
async fn a_change_is_checked_as_a_new_one_is() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    make(&appliance, "broker", &webhook_to("https://example.com/2")).await;
    let taken = appliance.send(put(&id, "broker", &webhook_to("https://example.com/2"))).await;
    assert_eq!(error(taken, 409), ("TDG.REG.007".to_owned(), "attributes.webhookURI".to_owned()));
    problems(appliance.send(put(&id, "broker", &webhook_to("https://10.0.0.1/"))).await);
    // A colleague's client has another policy, and what it makes goes under that.
    let refused = problems(appliance.send(put(&id, "colleague", &webhook_to("https://example.com/3"))).await);
    assert!(refused[0].1.contains("\"narrow\""), "{refused:?}");
    assert_eq!(
        list(&appliance, "broker", &format!("?registrationId={id}")).await["records"][0]["webhookURI"],
        "https://example.com/webhook"
    );
}

#[tokio::test]
async fn a_deleted_one_is_gone_at_once() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    let gone = appliance.send(Call::delete(&path(&id), "broker")).await.expect(204);
    assert!(gone.body.is_empty());
    for call in [Call::delete(&path(&id), "broker"), put(&id, "broker", &webhook()), rotate(&id, "broker", "")] {
        assert_eq!(error(appliance.send(call).await, 404).0, "TDG.REG.006");
    }
    assert_eq!(count(&appliance), 0);
    make(&appliance, "broker", &webhook()).await;
}

#[tokio::test]
async fn another_subscriber_s_is_as_one_that_does_not_exist() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    let nobodys = "28e5d78c-d642-42d1-8064-0082dc87c4e5";
    let calls = |id: &str| [put(id, "rival", &webhook()), Call::delete(&path(id), "rival"), rotate(id, "rival", "")];
    for (others, nobodys) in calls(&id).into_iter().zip(calls(nobodys)) {
        let (others, nobodys) = (appliance.send(others).await, appliance.send(nobodys).await);
        assert_eq!((others.status, &others.body), (404, &nobodys.body));
    }
    assert_eq!(list(&appliance, "rival", "").await["page"]["totalRecords"], 0);
    // Another client of the same subscriber sees it and may end it.
    assert_eq!(list(&appliance, "colleague", "").await["page"]["totalRecords"], 1);
    appliance.send(Call::delete(&path(&id), "colleague")).await.expect(204);
}

#[tokio::test]
async fn a_declared_one_is_shown_with_a_uuid_and_its_files_alone_can_change_it() {
    let appliance = start(with_declared()).await;
    let listed = list(&appliance, "broker", "").await["records"][0].clone();
    let id = id_of(&listed);
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 5);
    assert_eq!(listed["webhookURI"], "https://example.com/declared");
    assert_eq!(list(&appliance, "broker", &format!("?registrationId={id}")).await["records"][0], listed);
    for call in [put(&id, "broker", &webhook()), Call::delete(&path(&id), "broker"), rotate(&id, "broker", "")] {
        let refused = errors(appliance.send(call).await, 409);
        assert_eq!(refused[0].0, "TDG.REG.008");
        assert!(refused[0].1.contains("[broker-lodged]"), "{refused:?}");
    }
    assert_eq!(error(appliance.send(Call::delete(&path(&id), "rival")).await, 404).0, "TDG.REG.006");
    let taken = appliance.send(post("broker", &webhook_to("https://example.com/declared"))).await;
    assert_eq!(error(taken, 409).0, "TDG.REG.007");
    // Its name is no id of this contract.
    assert_eq!(error(appliance.send(Call::delete(&path("broker-lodged"), "broker")).await, 404).0, "TDG.REG.006");
}

#[tokio::test]
async fn a_subscription_of_another_contract_is_not_there() {
    let appliance = start(Setup { closed: false, ..setup() }).await;
    let polled = appliance.subscribe("crm", &["301"]).await;
    assert_eq!(error(appliance.send(Call::delete(&path(&polled), "broker")).await, 404).0, "TDG.REG.006");
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    appliance.send(Call::delete(&crate::support::client::subscription(&id), "crm")).await.expect(404);
}
