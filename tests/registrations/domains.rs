//! The domains that a subscriber's webhooks may be in.

use serde_json::{Value, json};

use crate::stage::{MOUNT, error, id_of, make, post, problems, put, setup, start, webhook_to, with};
use crate::support::Appliance;
use crate::support::client::{Answer, Call};
use tidings::api::unknown_members::UnknownMembers;

fn domains(end: &str) -> String {
    format!("{MOUNT}/webhook-domains{end}")
}

async fn add(appliance: &Appliance, client: &'static str, domain: &str) -> Answer {
    let body = json!({"webhookDomain": domain}).to_string();
    appliance.send(Call::post(&domains(""), client, body)).await
}

async fn all(appliance: &Appliance, client: &'static str) -> Value {
    appliance.send(Call::get(&domains(""), client)).await.expect(200).json()["webhookDomains"].clone()
}

#[tokio::test]
async fn domains_are_added_listed_and_deleted() {
    let appliance = start(setup()).await;
    assert_eq!(all(&appliance, "broker").await, json!([]));
    assert_eq!(
        add(&appliance, "broker", "Example.COM").await.expect(201).json(),
        json!({"webhookDomain": "example.com"})
    );
    add(&appliance, "broker", "b.test").await.expect(201);
    add(&appliance, "broker", "example.com").await.expect(201);
    assert_eq!(all(&appliance, "broker").await, json!(["b.test", "example.com"]));
    assert_eq!(all(&appliance, "rival").await, json!([]), "each subscriber has its own");
    assert_eq!(all(&appliance, "colleague").await, json!(["b.test", "example.com"]));
    assert_eq!(error(appliance.send(Call::delete(&domains("/example.com"), "rival")).await, 404).0, "TDG.REG.006");
    appliance.send(Call::delete(&domains("/EXAMPLE.com"), "broker")).await.expect(204);
    for gone in ["/example.com", "/nowhere.test", "/10.0.0.1", "/a%20b"] {
        assert_eq!(error(appliance.send(Call::delete(&domains(gone), "broker")).await, 404).0, "TDG.REG.006");
    }
    let appliance = appliance.restart(setup()).await;
    assert_eq!(all(&appliance, "broker").await, json!(["b.test"]));
}

#[tokio::test]
async fn where_there_are_any_a_webhook_is_in_one_or_below_one() {
    let appliance = start(setup()).await;
    let elsewhere = id_of(&make(&appliance, "broker", &webhook_to("https://elsewhere.test/hook")).await);
    add(&appliance, "broker", "example.com").await.expect(201);
    for url in ["https://badexample.com/", "https://example.com.test/", "https://8.8.8.8/", "https://elsewhere.test/2"]
    {
        let refused = problems(appliance.send(post("broker", &webhook_to(url))).await);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].0 == "attributes.webhookURI" && refused[0].1.contains("webhook domains"), "{refused:?}");
    }
    for url in ["https://example.com/1", "https://hook.example.com/", "https://a.B.example.COM/"] {
        make(&appliance, "broker", &webhook_to(url)).await;
    }
    problems(appliance.send(put(&elsewhere, "broker", &webhook_to("https://elsewhere.test/hook"))).await);
    make(&appliance, "rival", &webhook_to("https://elsewhere.test/hook")).await;
    make(&appliance, "broker", &crate::stage::email()).await;
}

#[tokio::test]
async fn what_is_no_domain_is_refused_and_there_are_not_too_many() {
    let appliance = start(setup()).await;
    for bad in ["", "https://example.com", "*.example.com", "10.0.0.1", "a b", "example.com:443", "-x.test"] {
        assert_eq!(problems(add(&appliance, "broker", bad).await)[0].0, "webhookDomain", "{bad}");
    }
    for body in ["{}", r#"{"webhookDomain": 1}"#, "[]", "{"] {
        problems(appliance.send(Call::post(&domains(""), "broker", body)).await);
    }
    for n in 0..100 {
        add(&appliance, "broker", &format!("d{n}.test")).await.expect(201);
    }
    assert_eq!(error(add(&appliance, "broker", "d100.test").await, 409).0, "TDG.REG.009");
    add(&appliance, "broker", "d99.test").await.expect(201);
    add(&appliance, "rival", "d100.test").await.expect(201);
}

#[tokio::test]
async fn unknown_members_are_as_everywhere() {
    let body = r#"{"webhookDomain": "example.com", "colour": "red"}"#;
    let appliance = start(setup()).await;
    appliance.send(Call::post(&domains(""), "broker", body)).await.expect(201);
    let counted = "tidings_api_ignored_members_total{contract=\"registrations\"} 1\n";
    assert!(appliance.metrics().contains(counted), "{}", appliance.metrics());
    let appliance = start(with(|settings| settings.unknown_members = UnknownMembers::Refuse)).await;
    assert_eq!(problems(appliance.send(Call::post(&domains(""), "broker", body)).await)[0].0, "colour");
}
