//! Secrets and their rotation.

use std::time::Duration;

use tidings::base::clock::{Clock as _, Timestamp};
use tidings::model::target::{Target, WebhookTarget};
use tidings::store::Store as _;

use crate::stage::{email, error, id_of, key, list, make, problems, rotate, setup, start, webhook, with};
use crate::support::{Appliance, just_before};

const DAY: Duration = Duration::from_hours(24);

/// The keys that sign now, oldest first.
fn signing(appliance: &Appliance, id: &str) -> Vec<Vec<u8>> {
    let set = appliance.store.subscriptions();
    let Target::Webhook(WebhookTarget { secrets, .. }) = &set.get(id).unwrap().endpoints[0].target else { panic!() };
    let now = appliance.clock.now();
    secrets.iter().filter(|secret| secret.is_valid(now)).map(|secret| secret.key.to_vec()).collect()
}

#[tokio::test]
async fn after_a_rotation_both_sign_for_a_day() {
    let appliance = start(setup()).await;
    let made = make(&appliance, "broker", &webhook()).await;
    let (id, old) = (id_of(&made), key(made["sharedSecret"].as_str().unwrap()));
    appliance.clock.advance(DAY);
    let rotated = appliance.send(rotate(&id, "broker", "")).await.expect(200);
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let rotated = rotated.json();
    assert_eq!(rotated.as_object().unwrap().len(), 2);
    // RFC 3339 here, and blanks there.
    assert_eq!(rotated["expiry"], "2027-11-23T10:00:00Z");
    let new = key(rotated["sharedSecret"].as_str().unwrap());
    assert_eq!(new.len(), 32);
    let listed = list(&appliance, "broker", "").await["records"][0].clone();
    assert_eq!(listed["sharedSecretExpiry"], "2027-11-23 10:00:00.250000 +00:00");
    assert!(listed.get("sharedSecret").is_none());
    assert_eq!(signing(&appliance, &id), [old.clone(), new.clone()]);
    appliance.clock.advance(just_before(DAY));
    assert_eq!(signing(&appliance, &id), [old, new.clone()]);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(signing(&appliance, &id), [new]);
}

#[tokio::test]
async fn an_overlap_of_none_ends_the_old_one_at_once() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    let rotated = appliance.send(rotate(&id, "broker", "?overlap=0")).await.expect(200).json();
    assert_eq!(signing(&appliance, &id), [key(rotated["sharedSecret"].as_str().unwrap())]);
    appliance.send(rotate(&id, "broker", "?overlap=60")).await.expect(200);
    appliance.clock.advance(just_before(Duration::from_mins(1)));
    assert_eq!(signing(&appliance, &id).len(), 2);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(signing(&appliance, &id).len(), 1);
    for overlap in ["86401", "-1", "x", "", "1.5", "99999999999999999999999"] {
        let refused = problems(appliance.send(rotate(&id, "broker", &format!("?overlap={overlap}"))).await);
        assert_eq!(refused[0].0, "overlap");
    }
    appliance.send(rotate(&id, "broker", "?overlap=86400")).await.expect(200);
}

#[tokio::test]
async fn lifetime_and_overlap_are_what_the_files_say() {
    let appliance = start(with(|settings| {
        settings.secret_lifetime = Duration::from_hours(48);
        settings.rotation_overlap = Duration::from_hours(1);
    }))
    .await;
    let made = make(&appliance, "broker", &webhook()).await;
    assert_eq!(made["sharedSecretExpiry"], "2026-11-24 10:00:00.250000 +00:00");
    let id = id_of(&made);
    let rotated = appliance.send(rotate(&id, "broker", "")).await.expect(200).json();
    assert_eq!(rotated["expiry"], "2026-11-24T10:00:00Z");
    appliance.clock.advance(Duration::from_hours(1));
    assert_eq!(signing(&appliance, &id).len(), 1);
}

#[tokio::test]
async fn an_old_secret_never_lives_longer_for_being_rotated() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    appliance.clock.advance((DAY * 365).saturating_sub(Duration::from_hours(1)));
    appliance.send(rotate(&id, "broker", "")).await.expect(200);
    assert_eq!(signing(&appliance, &id).len(), 2);
    appliance.clock.advance(Duration::from_hours(1));
    assert_eq!(signing(&appliance, &id).len(), 1);
}

#[tokio::test]
async fn an_expired_secret_is_replaced_by_a_rotation() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    appliance.clock.advance(DAY * 365);
    assert!(signing(&appliance, &id).is_empty());
    appliance.send(rotate(&id, "broker", "")).await.expect(200);
    assert_eq!(signing(&appliance, &id).len(), 1);
}

#[tokio::test]
async fn there_are_never_too_many_secrets() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &webhook()).await);
    for _ in 0..7 {
        appliance.send(rotate(&id, "broker", "")).await.expect(200);
    }
    assert_eq!(error(appliance.send(rotate(&id, "broker", "")).await, 409).0, "TDG.REG.009");
    assert_eq!(signing(&appliance, &id).len(), 8);
    appliance.send(rotate(&id, "broker", "?overlap=0")).await.expect(200);
    assert_eq!(signing(&appliance, &id).len(), 1);
}

#[tokio::test]
async fn mail_has_no_secret() {
    let appliance = start(setup()).await;
    let id = id_of(&make(&appliance, "broker", &email()).await);
    assert_eq!(error(appliance.send(rotate(&id, "broker", "")).await, 409).0, "TDG.REG.007");
    assert!(appliance.clock.now() > Timestamp::default());
}
