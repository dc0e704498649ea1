//! The engine under changing subscriptions, and its sweep: a real store, a real server.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::client::{Call, subscription};
use support::{Appliance, BadDisk, Setup, declared, until};
use tidings::base::clock::Clock as _;
use tidings::base::random::SeededRandomness;
use tidings::base::stop::Stop;
use tidings::engine::{ClientLimits, DeliverySettings, Engine, EngineSettings, ForeignClients, Provisioned};
use tidings::model::address::Address;
use tidings::model::notification::State;
use tidings::model::owners::Owners;
use tidings::model::pattern::Patterns;
use tidings::model::subscription::HoldReason;
use tidings::store::{Store as _, Suppression};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_gets_what_is_published_after_its_answer_and_a_deleted_one_does_not() {
    let appliance = Arc::new(Appliance::plain().await);
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (appliance, done) = (appliance.clone(), done.clone());
        tasks.spawn(async move {
            while !done.load(Ordering::Acquire) {
                appliance.publish(r#"{"type":"301"}"#).await;
            }
        });
    }
    for _ in 0..30 {
        let id = appliance.subscribe("crm", &["301"]).await;
        let receipt = appliance.publish(r#"{"type":"301"}"#).await;
        assert_eq!(receipt["matched"], 1);
        let page = appliance.poll(&id).await;
        assert!(page.iter().any(|event| event["id"] == receipt["id"]), "{page:?}");
        appliance.send(Call::delete(&subscription(&id), "crm")).await.expect(204);
        assert_eq!(appliance.publish(r#"{"type":"301"}"#).await["matched"], 0);
    }
    done.store(true, Ordering::Release);
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
    assert!(appliance.store_figures().sums.poll.is_conserved());
}

#[tokio::test]
async fn subscriptions_of_clients_that_are_not_known_any_more_are_held_until_they_are() {
    let holds = |appliance: &Appliance, id: &str| {
        let set = appliance.store.subscriptions();
        set.get(id).unwrap().holds.iter().map(|hold| hold.reason).collect::<Vec<_>>()
    };
    let without_crm = || {
        let mut setup = Setup::default();
        setup.clients.retain(|(id, ..)| *id != "crm");
        setup
    };
    let known_by = |pattern: &str| {
        let client_ids = Patterns::new([pattern.to_owned()]);
        Setup { foreign: vec![ForeignClients { client_ids, owners: None }], ..without_crm() }
    };
    let kept = Setup { declared: vec![declared("kept", "erp", &["301"])], ..Setup::default() };
    let appliance = Appliance::start(kept.clone()).await;
    let (crm, erp) = (appliance.subscribe("crm", &["301"]).await, appliance.subscribe("erp", &["301"]).await);
    assert_eq!(holds(&appliance, &crm), []);
    let mut appliance = appliance;
    for (setup, expected) in [
        (without_crm(), &[HoldReason::ClientRemoved][..]),
        (without_crm(), &[HoldReason::ClientRemoved]),
        (known_by("crn*"), &[HoldReason::ClientRemoved]),
        (known_by("cr*"), &[]),
        (without_crm(), &[HoldReason::ClientRemoved]),
        (kept, &[]),
    ] {
        appliance = appliance.restart(setup).await;
        assert_eq!(holds(&appliance, &crm), expected);
        assert_eq!(holds(&appliance, &erp), []);
        assert_eq!(holds(&appliance, "kept"), [], "what the files declare is theirs to end");
        assert_eq!(appliance.engine.provision().await.unwrap(), Provisioned::default(), "once is enough");
    }
}

#[tokio::test]
async fn provisioning_counts_what_it_holds_and_releases() {
    let appliance = Appliance::plain().await;
    for _ in 0..3 {
        appliance.subscribe("crm", &["301"]).await;
    }
    let provision = async |clients: &[&str]| {
        let settings = EngineSettings {
            profiles: std::collections::HashMap::new(),
            catalogue: appliance.engine.settings().catalogue.clone(),
            owners: clients.iter().map(|&id| (id.into(), Owners::default())).collect(),
            foreign: Vec::new(),
            declared: Vec::new(),
            limits: ClientLimits::default(),
            delivery: DeliverySettings::default(),
        };
        let (clock, random) = (Arc::new(appliance.clock.clone()), Arc::new(SeededRandomness::new(1)));
        let engine = Engine::new(appliance.store.clone(), clock, random, settings, Stop::new());
        engine.provision().await.unwrap()
    };
    assert_eq!(provision(&["erp"]).await.held.len(), 3);
    assert_eq!(provision(&["erp"]).await, Provisioned::default());
    assert_eq!(provision(&["crm"]).await.released.len(), 3);
}

#[tokio::test]
async fn the_sweep_settles_what_has_expired() {
    let appliance = Appliance::plain().await;
    let sweeps = tokio::spawn(appliance.engine.clone().run_sweeps());
    appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    until("a first sweep", || appliance.engine.sweep_status().runs > 0).await;
    appliance.clock.advance(Duration::from_hours(6));
    until("the expiry is settled", || appliance.engine.sweep_status().expired == 1).await;
    assert_eq!(appliance.store_figures().sums.poll.get(State::Expired), 1);
    let status = appliance.engine.sweep_status();
    assert_eq!((status.failure, status.last_run.is_some()), (None, true));
    appliance.stop.stop();
    sweeps.await.unwrap();
}

#[tokio::test]
async fn a_sweep_that_fails_says_so_and_goes_on() {
    let disk = Arc::new(BadDisk::default());
    let appliance = Appliance::start(Setup { faults: Some(disk.clone()), ..Setup::default() }).await;
    tokio::spawn(appliance.engine.clone().run_sweeps());
    appliance.subscribe("crm", &["301"]).await;
    appliance.publish(r#"{"type":"301"}"#).await;
    disk.fail(true);
    appliance.clock.advance(Duration::from_hours(6));
    until("the failure shows", || {
        appliance.clock.advance(Duration::from_secs(1));
        appliance.engine.sweep_status().failure.is_some()
    })
    .await;
    disk.fail(false);
    until("it goes on", || {
        appliance.clock.advance(Duration::from_secs(1));
        appliance.engine.sweep_status().failure.is_none()
    })
    .await;
    assert_eq!(appliance.store_figures().sums.poll.get(State::Expired), 1);
}

#[tokio::test]
async fn suppressed_addresses_are_listed_while_they_are_and_can_be_lifted() {
    let appliance = Appliance::plain().await;
    let suppress = async |address: &str| {
        let (since, reply) = (appliance.clock.now(), "550 5.1.1 no such user".to_owned());
        let suppression = Suppression { address: address.to_owned(), since, reply };
        appliance.store.suppress(address, Some(suppression)).await.unwrap();
    };
    let listed = async |after: Option<&str>, limit| {
        let found = appliance.engine.suppressions(after, limit).await.unwrap();
        (found.addresses.into_iter().map(|(one, _)| one.address).collect::<Vec<_>>(), found.after)
    };
    suppress("old@example.com").await;
    appliance.clock.advance(Duration::from_hours(20 * 24));
    suppress("jane@example.com").await;
    suppress("a@example.com").await;
    let (first, after) = listed(None, 2).await;
    assert_eq!(
        (first, after.as_deref()),
        (vec!["a@example.com".into(), "jane@example.com".into()], Some("jane@example.com"))
    );
    assert_eq!(listed(after.as_deref(), 2).await, (vec!["old@example.com".to_owned()], None));
    appliance.clock.advance(Duration::from_hours(10 * 24));
    assert_eq!(listed(None, 10).await.0, ["a@example.com", "jane@example.com"], "one has aged out");
    let jane = Address::parse("jane@EXAMPLE.com").unwrap();
    assert!(appliance.engine.lift_suppression(&jane).await.unwrap());
    assert!(!appliance.engine.lift_suppression(&jane).await.unwrap(), "there is nothing more to lift");
    assert_eq!(listed(None, 10).await.0, ["a@example.com"]);
}
