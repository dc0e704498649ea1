//! What the receivers of management subscriptions are sent (contracts/management.md, "The webhook").

use bytes::Bytes;
use tidings::base::clock::Timestamp;
use tidings::base::secret::SecretString;
use tidings::channel::Message;
use tidings::model::event::EventTime;
use tidings::model::json::RawJson;
use tidings::model::target::{BasicAuth, Shape, WebhookTarget};

use crate::requests::{came, came_by};

const ID: &str = "0198f0c2-1111-7000-8000-000000040001";

fn of_management(target: &mut WebhookTarget, message: &mut Message) {
    target.shape = Shape::Management;
    message.number = Some(17);
    message.event.draft.event_type = "ONTActivation".into();
}

fn data(text: &'static str) -> Option<RawJson> {
    RawJson::parse(&Bytes::from_static(text.as_bytes())).ok()
}

#[tokio::test]
async fn the_body_has_number_time_type_message_and_payload() {
    let (came, _, _) = came(|target, message| {
        of_management(target, message);
        let instant = Timestamp::parse_rfc3339("2026-11-22T23:00:00.5+13:00").unwrap();
        message.event.draft.time = Some(EventTime { text: "2026-11-22T23:00:00.5+13:00".to_owned(), instant });
        message.event.draft.data = data(r#"{"message": {"status" : "Success"}, "payload": {"n": 1.00}}"#);
    })
    .await;
    let expected = r#"{"eventId":"17","eventTimestamp":"2026-11-22T10:00:00.500Z","eventType":"ONTActivation","message":{"status" : "Success"},"payload":{"n": 1.00}}"#;
    assert_eq!(came.body, expected);
    assert_eq!(came.header("content-type"), Some("application/json"));
    assert_eq!(came.header("x-transaction-id"), Some(ID));
    assert_eq!(came.header("webhook-id"), Some(ID), "it is signed as every webhook is");
    assert!(came.header("webhook-signature").is_some());
    assert_eq!((came.header("authorization"), came.header("x-api-key")), (None, None));
}

#[tokio::test]
async fn an_event_that_is_one_thing_is_its_message_and_one_without_data_says_nothing() {
    let (whole, _, _) = came(of_management).await;
    assert!(whole.body.ends_with(r#""message":{ "n": 1.00 },"payload":{}}"#), "{}", whole.body);
    assert!(whole.body.contains(r#""eventTimestamp":"2026-11-22T10:00:00.250Z""#), "when it was accepted");
    let (without, _, _) = came(|target, message| {
        of_management(target, message);
        message.event.draft.data = None;
    })
    .await;
    assert!(without.body.ends_with(r#""message":{},"payload":{}}"#), "{}", without.body);
}

#[tokio::test]
async fn a_name_and_a_password_go_out_as_basic() {
    let (came, sent, _) = came(|target, message| {
        of_management(target, message);
        target.basic = Some(BasicAuth { username: "Ali Baba".to_owned(), password: "öffne: dich".to_owned().into() });
    })
    .await;
    // "Ali Baba:öffne: dich" in UTF-8 (RFC 7617).
    assert_eq!(came.header("authorization"), Some("Basic QWxpIEJhYmE6w7ZmZm5lOiBkaWNo"));
    assert!(!format!("{sent:?}").contains("dich"));
}

#[tokio::test]
async fn the_key_of_the_subscription_s_client_goes_out_and_nobody_else_s() {
    let keys = |client: &'static str| {
        move |settings: &mut tidings::channel::webhook::WebhookSettings| {
            settings.api_keys = [(client.into(), SecretString::from("s3cret-key"))].into();
        }
    };
    let (own, _, stage) = came_by(keys("crm"), of_management).await;
    assert_eq!(own.header("x-api-key"), Some("s3cret-key"));
    assert!(!format!("{:?}", stage.settings).contains("s3cret-key"));
    let (other, _, _) = came_by(keys("erp"), of_management).await;
    assert_eq!(other.header("x-api-key"), None);
    let (event, _, _) = came_by(keys("crm"), |_, _| {}).await;
    assert_eq!(event.header("x-api-key"), None, "of other contracts nobody asks for it");
}
