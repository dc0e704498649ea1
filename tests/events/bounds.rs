//! What a client or key may publish, and who an API key is.

use std::sync::Arc;

use tidings::auth::{ApiKeySettings, KeptKey, PublishBounds, Terms, scope};
use tidings::base::secret::SecretHash;

use crate::support::client::{Answer, Call};
use crate::support::{Appliance, Setup};
use crate::{BATCH, EVENTS, nothing_stored, post, problem, stored};

const KEY: &str = "tdg_billing1_a-secret-of-the-tests";

fn bounds(types: &[&str], sources: &[&str], audience: &[&str]) -> Arc<PublishBounds> {
    let [types, sources, audience] =
        [types, sources, audience].map(|list| list.iter().map(|&text| text.to_owned()).collect());
    Arc::new(PublishBounds { types, sources, audience })
}

/// `crm` may publish `30*` for `/crm` to 1001, the key `billing` invoices.
fn bounded() -> Setup {
    Setup {
        tune_auth: |auth| {
            auth.clients[0].terms.publish =
                Some(bounds(&["30*"], &["/crm", "urn:tidings:client:crm"], &["1001", "9*"]));
            auth.api_keys.push(ApiKeySettings {
                id: "billing".into(),
                organisation: None,
                keys: vec![KeptKey { public: "billing1".to_owned(), secret: SecretHash::of(KEY.as_bytes()).into() }],
                scopes: [scope::PUBLISH.to_owned()].into(),
                terms: Terms { publish: Some(bounds(&["invoice"], &[], &[])), ..Terms::default() },
            });
        },
        ..Setup::default()
    }
}

async fn post_with_key(appliance: &Appliance, key: &str, body: &str) -> Answer {
    appliance.send(Call::post(EVENTS, "", body.to_owned()).without_token().header("x-api-key", key)).await
}

#[tokio::test]
async fn what_lies_outside_is_refused_with_its_place_and_nothing_is_stored() {
    let appliance = Appliance::start(bounded()).await;
    for (event, expected) in [
        (r#"{"type":"31","audience":"1001"}"#, vec!["/type: is none"]),
        (r#"{"type":"301","audience":"1001","source":"/erp"}"#, vec!["/source: is none"]),
        (r#"{"type":"301"}"#, vec!["/audience: is required"]),
        (r#"{"type":"301","audience":"1001,1002,99"}"#, vec!["/audience: names \"1002\""]),
        (r#"{"type":"x","source":"/crm2"}"#, vec!["/type: ", "/source: ", "/audience: "]),
    ] {
        let errors = problem(post(&appliance, "application/json", event).await, 403, "forbidden");
        assert_eq!(errors.len(), expected.len(), "{event}: {errors:?}");
        assert!(errors.iter().zip(&expected).all(|(error, begin)| error.starts_with(begin)), "{event}: {errors:?}");
    }
    nothing_stored(&appliance);
    for inside in [r#"{"type":"301","audience":"1001"}"#, r#"{"type":"30","audience":"99,1001","source":"/crm"}"#] {
        post(&appliance, "application/json", inside).await.expect(202);
    }
    // Who has no bounds publishes what it likes.
    appliance.send(Call::post(EVENTS, "erp", r#"{"type":"anything"}"#)).await.expect(202);
}

#[tokio::test]
async fn one_event_outside_refuses_its_whole_batch() {
    let appliance = Appliance::start(bounded()).await;
    let event = |id: u32, event_type: &str, source: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{event_type}","audience":"1001"}}"#)
    };
    let batch = format!("[{},{},{}]", event(1, "301", "/crm"), event(2, "x", "/erp"), event(3, "302", "/crm"));
    let errors = problem(post(&appliance, BATCH, &batch).await, 403, "forbidden");
    assert_eq!(errors.len(), 2);
    assert!(errors[0].starts_with("/1/type: ") && errors[1].starts_with("/1/source: "), "{errors:?}");
    nothing_stored(&appliance);
    let binary = Call::post(EVENTS, "crm", "{}")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/crm")
        .header("ce-type", "x")
        .header("ce-audience", "1001");
    assert!(problem(appliance.send(binary).await, 403, "forbidden")[0].starts_with("/type: "));
    nothing_stored(&appliance);
}

#[tokio::test]
async fn built_in_types_can_be_published_by_nobody() {
    let appliance = Appliance::plain().await;
    for event_type in ["tidings.disk.full", "tidings.", "SECRET_EXPIRY"] {
        let event = format!(r#"{{"type":"{event_type}"}}"#);
        let errors = problem(post(&appliance, "application/json", &event).await, 403, "forbidden");
        assert_eq!(errors, ["/type: is a built-in type, which cannot be published"]);
    }
    nothing_stored(&appliance);
}

#[tokio::test]
async fn an_api_key_publishes_as_its_entry_and_within_its_bounds() {
    let appliance = Appliance::start(bounded()).await;
    let receipt = post_with_key(&appliance, KEY, r#"{"type":"invoice","id":"1"}"#).await.expect(202).json();
    let event = stored(&appliance, &receipt).await;
    assert_eq!(event.draft.publisher.as_str(), "billing");
    assert_eq!(event.draft.source, "urn:tidings:client:billing");
    let again = post_with_key(&appliance, KEY, r#"{"type":"invoice","id":"1"}"#).await.expect(202).json();
    assert_eq!((&again["duplicate"], &again["id"]), (&true.into(), &receipt["id"]));
    problem(post_with_key(&appliance, KEY, r#"{"type":"301"}"#).await, 403, "forbidden");
    for wrong in ["tdg_billing1_another", "tdg_billing2_a-secret-of-the-tests", "x"] {
        let answer = post_with_key(&appliance, wrong, r#"{"type":"invoice"}"#).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        problem(answer, 401, "unauthenticated");
    }
}

#[tokio::test]
async fn an_api_key_opens_only_what_takes_keys() {
    let appliance = Appliance::start(bounded()).await;
    let id = appliance.subscribe("crm", &["301"]).await;
    let path = crate::support::client::notifications(&id);
    appliance.send(Call::get(&path, "").without_token().header("x-api-key", KEY)).await.expect(401);
    let both = Call::post(EVENTS, "crm", r#"{"type":"301"}"#).header("x-api-key", KEY);
    appliance.send(both).await.expect(401);
}
