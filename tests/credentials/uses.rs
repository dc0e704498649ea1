//! When credentials were last used, and when they end.

use std::time::Duration;

use tidings::auth::{CredentialKind, CredentialReport, KeptSecret};
use tidings::base::clock::Timestamp;
use tidings::base::secret::SecretHash;
use tidings::base::stop::Stop;
use tidings::store::Store as _;

use crate::support::client::Call;
use crate::support::{Appliance, START, Setup, just_before};
use crate::{EVENT, EVENTS, KEY, billing, publish_with_key, with_key};

const DAY: Duration = Duration::from_hours(24);

fn report(appliance: &Appliance, id: &str) -> CredentialReport {
    appliance.caretaker.report().into_iter().find(|report| report.id == id).unwrap()
}

fn last(appliance: &Appliance, id: &str) -> (Option<String>, Option<usize>) {
    let report = report(appliance, id);
    (report.last_used, report.last_secret)
}

#[tokio::test]
async fn the_last_use_is_known_also_after_a_restart() {
    let appliance = Appliance::start(with_key()).await;
    assert_eq!(last(&appliance, "crm"), (None, None));
    appliance.send(Call::post(EVENTS, "crm", EVENT)).await.expect(202);
    appliance.clock.advance(Duration::from_secs(10));
    publish_with_key(&appliance, KEY).await.expect(202);
    publish_with_key(&appliance, "tdg_billing1_wrong").await.expect(401);
    let crm = (Some("2026-11-22T10:00:00Z".to_owned()), Some(1));
    let billing = (Some("2026-11-22T10:00:10Z".to_owned()), Some(1));
    let seen = |appliance: &Appliance| ["crm", "billing", "erp"].map(|id| last(appliance, id));
    assert_eq!(seen(&appliance), [crm.clone(), billing.clone(), (None, None)]);
    appliance.caretaker.save().await.unwrap();
    let appliance = appliance.restart(with_key()).await;
    assert_eq!(seen(&appliance), [crm, billing, (None, None)]);
    // What the files name no more is forgotten.
    let appliance = appliance.restart(Setup::default()).await;
    appliance.token("crm");
    appliance.caretaker.save().await.unwrap();
    let appliance = appliance.restart(with_key()).await;
    assert_eq!(last(&appliance, "billing"), (None, None));
}

#[tokio::test]
async fn what_is_reported_names_every_secret_by_its_place_and_shows_none() {
    let setup = Setup {
        tune_auth: |auth| {
            let end = Timestamp::parse_rfc3339("2027-01-01T00:00:00Z");
            auth.clients[0].secrets.insert(0, KeptSecret { hash: SecretHash::of(b"old"), not_after: end });
            auth.clients[1].terms.enabled = false;
            auth.api_keys.push(billing());
        },
        ..Setup::default()
    };
    let appliance = Appliance::start(setup).await;
    appliance.token("crm");
    let crm = report(&appliance, "crm");
    assert_eq!((crm.kind, crm.enabled, crm.last_secret), (CredentialKind::Client, true, Some(2)));
    assert_eq!(crm.secrets[0].not_after.as_deref(), Some("2027-01-01T00:00:00Z"));
    assert!(!report(&appliance, "erp").enabled);
    let shown = serde_json::to_value(report(&appliance, "billing")).unwrap();
    let expected = serde_json::json!({
        "kind": "api_key", "id": "billing", "enabled": true, "secrets": [{"public": "tdg_billing1"}],
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn what_ends_is_told_thirty_days_ahead() {
    let setup = Setup {
        tune_auth: |auth| {
            let now = Timestamp::parse_rfc3339(START).unwrap();
            auth.clients[0].secrets[0].not_after = Some(now.plus(31 * DAY));
            let mut key = billing();
            key.keys[0].secret.not_after = Some(now.plus(100 * DAY));
            auth.api_keys.push(key);
        },
        ..Setup::default()
    };
    let appliance = Appliance::start(setup).await;
    let ending = |appliance: &Appliance| {
        appliance.caretaker.ending().into_iter().map(|end| (end.kind.as_str(), end.id, end.entry)).collect::<Vec<_>>()
    };
    let crm = ("client", "crm".to_owned(), 1);
    appliance.clock.advance(just_before(DAY));
    assert_eq!(ending(&appliance), []);
    appliance.clock.advance(Duration::from_millis(1));
    assert_eq!(ending(&appliance), std::slice::from_ref(&crm));
    appliance.clock.advance(80 * DAY);
    assert_eq!(ending(&appliance), [crm, ("api_key", "billing".to_owned(), 1)]);
    let end = Timestamp::parse_rfc3339(START).unwrap().plus(31 * DAY).as_millis() / 1000;
    let metrics = appliance.metrics();
    let line = format!("tidings_credential_not_after_seconds{{kind=\"client\",id=\"crm\",entry=\"1\"}} {end}\n");
    assert!(metrics.contains(&line), "{metrics}");
}

/// What the store has kept of last uses.
async fn kept(appliance: &Appliance) -> Option<Vec<u8>> {
    appliance.store.secret("last-use").await.unwrap()
}

#[tokio::test]
async fn last_uses_are_written_once_an_hour_and_at_the_end() {
    let appliance = Appliance::plain().await;
    let stop = Stop::new();
    let work = tokio::spawn(appliance.caretaker.clone().run(stop.clone()));
    appliance.token("crm");
    appliance.clock.advance(just_before(Duration::from_hours(1)));
    assert_eq!(kept(&appliance).await, None);
    appliance.clock.advance(Duration::from_mins(1));
    until_kept(&appliance, None).await;
    let first = kept(&appliance).await;
    appliance.token("erp");
    stop.stop();
    work.await.unwrap();
    assert_ne!(kept(&appliance).await, first);
}

async fn until_kept(appliance: &Appliance, before: Option<Vec<u8>>) {
    for _ in 0..10_000 {
        if kept(appliance).await != before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("nothing was written in time");
}
