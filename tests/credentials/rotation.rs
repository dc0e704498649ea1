//! The keys that sign tokens: another one signs, the old ones are accepted until their tokens end.

use std::time::Duration;

use serde_json::Value;
use tidings::auth::{SigningKeyError, WEBHOOK_KEY_OVERLAP, WebhookKeyError};
use tidings::base::clock::Clock as _;

use crate::publish;
use crate::support::client::Call;
use crate::support::{Appliance, Setup, just_before};

const LIFETIME: Duration = Duration::from_hours(1);
/// How much longer a key is accepted than the tokens that it signed.
const SLACK: Duration = Duration::from_mins(1);

/// The ids of the keys that are shown to everybody.
async fn shown(appliance: &Appliance) -> Vec<String> {
    let keys = appliance.send(Call::get("/oauth2/jwks", "").without_token()).await.expect(200).json();
    let ids = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
    ids.collect()
}

/// The id of the key that has signed a token.
fn signer(token: &str) -> String {
    let header = jsonwebtoken::decode_header(token).unwrap();
    header.kid.unwrap()
}

#[tokio::test]
async fn tokens_of_the_old_key_are_good_to_their_end_and_new_ones_have_the_new_key() {
    let appliance = Appliance::plain().await;
    let old = appliance.token("crm");
    let rotated = appliance.caretaker.rotate(false).await.unwrap();
    let new = appliance.token("crm");
    assert_eq!((signer(&old), signer(&new)), (rotated.replaced.clone(), rotated.key_id.clone()));
    assert_ne!(rotated.replaced, rotated.key_id);
    assert_eq!(rotated.accepted_until, Some(appliance.clock.now().plus(LIFETIME + SLACK)));
    let both = [rotated.key_id.clone(), rotated.replaced.clone()];
    assert_eq!(shown(&appliance).await, both);

    let appliance = appliance.restart(Setup::default()).await;
    assert_eq!(shown(&appliance).await, both);
    appliance.clock.advance(just_before(LIFETIME));
    for token in [&old, &new] {
        publish(&appliance, token).await.expect(202);
    }
    appliance.clock.advance(just_before(SLACK));
    assert_eq!(shown(&appliance).await, both);
    appliance.clock.advance(Duration::from_millis(2));
    assert_eq!(shown(&appliance).await, [rotated.key_id]);
    publish(&appliance, &old).await.expect(401);
}

#[tokio::test]
async fn a_forgotten_key_ends_its_tokens_at_once_also_those_that_were_seen() {
    let appliance = Appliance::plain().await;
    let old = appliance.token("crm");
    publish(&appliance, &old).await.expect(202);
    let rotated = appliance.caretaker.rotate(true).await.unwrap();
    assert_eq!(rotated.accepted_until, None);
    publish(&appliance, &old).await.expect(401);
    publish(&appliance, &appliance.token("crm")).await.expect(202);
    assert_eq!(shown(&appliance).await, [rotated.key_id]);
    let appliance = appliance.restart(Setup::default()).await;
    publish(&appliance, &old).await.expect(401);
}

#[tokio::test]
async fn there_are_only_so_many_old_keys_at_a_time() {
    let appliance = Appliance::plain().await;
    for _ in 0..8 {
        appliance.caretaker.rotate(false).await.unwrap();
    }
    let before = shown(&appliance).await;
    assert_eq!(before.len(), 9);
    let refused = appliance.caretaker.rotate(false).await.unwrap_err();
    let again = appliance.clock.now().plus(LIFETIME + SLACK);
    assert!(matches!(refused, SigningKeyError::TooOften { again: said } if said == again), "{refused}");
    assert_eq!(shown(&appliance).await, before);
    appliance.clock.advance(LIFETIME + SLACK);
    appliance.caretaker.rotate(false).await.unwrap();
    assert_eq!(shown(&appliance).await.len(), 2);
    appliance.caretaker.rotate(true).await.unwrap();
    assert_eq!(shown(&appliance).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_keep_the_new_key_leaves_the_old_one() {
    let disk = std::sync::Arc::new(crate::support::BadDisk::default());
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..Setup::default() }).await;
    let before = shown(&appliance).await;
    disk.fail(true);
    assert!(appliance.caretaker.rotate(false).await.is_err());
    assert_eq!(shown(&appliance).await, before);
    assert_eq!(signer(&appliance.token("crm")), before[0]);
    disk.fail(false);
}

#[tokio::test]
async fn what_a_key_shows_is_never_its_private_part() {
    let appliance = Appliance::plain().await;
    let keys: Value = appliance.send(Call::get("/oauth2/jwks", "").without_token()).await.expect(200).json();
    let mut names: Vec<_> = keys["keys"][0].as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
}

/// The public keys of webhooks as everybody sees them, with the instants at which the old ones end.
async fn webhook_keys(appliance: &Appliance) -> Vec<(String, Option<String>)> {
    let answer = appliance.send(Call::get("/.well-known/webhook-keys", "").without_token()).await.expect(200).json();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let keys = answer["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["key"]).unwrap(), text(&key["until"]))).collect()
}

#[tokio::test]
async fn a_replaced_key_of_webhooks_signs_on_for_a_week() {
    let appliance = Appliance::plain().await;
    let first = webhook_keys(&appliance).await;
    assert!(first.len() == 1 && first[0].0.starts_with("whpk_") && first[0].1.is_none(), "{first:?}");
    let rotated = appliance.caretaker.rotate_webhook_keys(false).await.unwrap();
    assert_eq!(rotated.replaced, first[0].0);
    let until = appliance.clock.now().plus(WEBHOOK_KEY_OVERLAP).to_rfc3339_seconds();
    let both = [(rotated.key_id.clone(), None), (rotated.replaced, Some(until))];
    assert_eq!(webhook_keys(&appliance).await, both);

    let appliance = appliance.restart(Setup::default()).await;
    assert_eq!(webhook_keys(&appliance).await, both);
    appliance.clock.advance(just_before(WEBHOOK_KEY_OVERLAP));
    assert_eq!(webhook_keys(&appliance).await, both);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(webhook_keys(&appliance).await, [(rotated.key_id, None)]);
}

#[tokio::test]
async fn only_so_many_keys_of_webhooks_sign_and_old_ones_can_be_forgotten() {
    let appliance = Appliance::plain().await;
    for _ in 0..3 {
        appliance.caretaker.rotate_webhook_keys(false).await.unwrap();
    }
    let four = webhook_keys(&appliance).await;
    let refused = appliance.caretaker.rotate_webhook_keys(false).await.unwrap_err();
    assert!(matches!(refused, WebhookKeyError::TooOften { .. }), "{refused}");
    assert_eq!((four.len(), &webhook_keys(&appliance).await), (4, &four));
    let rotated = appliance.caretaker.rotate_webhook_keys(true).await.unwrap();
    assert_eq!((webhook_keys(&appliance).await, rotated.accepted_until), (vec![(rotated.key_id, None)], None));
}
