//! What time and owners mean to the subscriptions of each contract: who sees what, ends, and what is told ahead of them.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use support::{Appliance, Setup, declared, event_type, until};
use tidings::base::clock::{Clock as _, Timestamp};
use tidings::engine::{ChangeError, Directed, Objection, PublishError, Repeats, Route, UnsubscribeError};
use tidings::model::event::EventDraft;
use tidings::model::notification::{EndpointKind, State};
use tidings::model::owners::Owners;
use tidings::model::profile::Profile;
use tidings::model::subscription::{ContractName, HoldReason, Intake, Subscription, SubscriptionDraft};
use tidings::model::target::{EmailTarget, Role, Shape, SigningSecret, Target, WebhookTarget};
use tidings::store::{Look, NotificationView, Store as _};

const DAY: Duration = Duration::from_hours(24);

fn webhook(ends: &[Timestamp]) -> Target {
    let secret = |not_after: &Timestamp| SigningSecret {
        key: vec![7; 32].into(),
        not_before: None,
        not_after: Some(*not_after),
    };
    let secrets = ends.iter().map(secret).collect();
    Target::Webhook(WebhookTarget {
        secrets,
        shape: Shape::Registration,
        ..WebhookTarget::new("https://h/", "default")
    })
}

fn mail(address: &str, role: Role) -> Target {
    Target::Email(EmailTarget { address: address.to_owned(), role, template: None, locale: None })
}

fn draft(id: &str, contract: ContractName, client: &str, endpoints: Vec<Target>) -> SubscriptionDraft {
    SubscriptionDraft { endpoints, ..SubscriptionDraft::new(id.into(), contract, client.into(), vec!["301".into()]) }
}

fn registration(id: &str, ends: &[Timestamp]) -> SubscriptionDraft {
    SubscriptionDraft {
        event_types: vec!["301".into(), "SECRET_EXPIRY".into()],
        ..draft(id, ContractName::Registrations, "crm", vec![webhook(ends)])
    }
}

fn event(audience: Option<&str>) -> EventDraft {
    EventDraft {
        publisher: "erp".into(),
        id: None,
        source: "/erp".to_owned(),
        event_type: "301".into(),
        subject: None,
        time: None,
        data_schema: None,
        audience: audience.and_then(Owners::parse_audience),
        expiry: None,
        trace: None,
        extensions: Vec::new(),
        data: None,
    }
}

/// An appliance whose sweeps run.
struct Stage(Appliance);

impl Stage {
    async fn new() -> Self {
        let stage = Self(Appliance::plain().await);
        stage.sweeping();
        stage
    }

    fn sweeping(&self) {
        drop(tokio::spawn(Arc::clone(&self.0.engine).run_sweeps()));
    }

    async fn restart(self) -> Self {
        let stage = Self(self.0.restart(Setup::default()).await);
        stage.sweeping();
        stage
    }

    /// What is stored by time has been stored: two sweeps have begun after now and ended.
    async fn swept(&self) {
        for _ in 0..2 {
            let runs = self.0.engine.sweep_status().runs;
            self.0.clock.advance(Duration::from_secs(1));
            until("a sweep", || self.0.engine.sweep_status().runs > runs).await;
        }
        assert_eq!(self.0.engine.sweep_status().failure, None);
    }

    async fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
        self.swept().await;
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    async fn make(&self, draft: SubscriptionDraft) -> Arc<Subscription> {
        self.0.engine.make(draft).await.unwrap()
    }

    /// The notifications of this type.
    async fn told(&self, event_type: &str) -> Vec<NotificationView> {
        let look = Look { event_type: Some(event_type.into()), limit: 100, ..Look::default() };
        self.0.store.notifications(look).await.unwrap().notifications
    }

    async fn data(&self, view: &NotificationView) -> Value {
        let event = self.0.store.event(view.event).await.unwrap().unwrap();
        serde_json::from_slice(&event.data()).unwrap()
    }

    /// Days left, as they were told.
    async fn days(&self, event_type: &str) -> Vec<u64> {
        let mut days = Vec::new();
        for view in self.told(event_type).await {
            days.push(self.data(&view).await["daysLeft"].as_u64().unwrap());
        }
        days
    }
}

#[tokio::test]
async fn the_end_of_a_secret_is_told_to_its_registration_three_times_and_once_each() {
    let stage = Stage::new().await;
    let end = stage.now().plus(365 * DAY);
    let made = stage.make(registration("r-1", &[end])).await;
    stage.make(registration("r-2", &[end.plus(3650 * DAY)])).await;
    stage.make(draft("m-1", ContractName::Management, "crm", vec![webhook(&[end])])).await;
    stage.advance(334 * DAY).await;
    assert!(stage.told("SECRET_EXPIRY").await.is_empty());
    stage.advance(DAY).await;
    let told = stage.told("SECRET_EXPIRY").await;
    assert_eq!((told.len(), told[0].endpoint), (1, made.endpoints[0].number));
    let data = stage.data(&told[0]).await;
    let shown = made.id.to_uuid().to_string();
    let expected = serde_json::json!({"registrationId": shown, "expiry": end.to_rfc3339_seconds(), "daysLeft": 30});
    assert_eq!(data, expected);
    let stage = stage.restart().await;
    stage.swept().await;
    assert_eq!(stage.days("SECRET_EXPIRY").await, [30]);
    stage.advance(22 * DAY).await;
    assert_eq!(stage.days("SECRET_EXPIRY").await, [30]);
    stage.advance(DAY).await;
    let stage = stage.restart().await;
    stage.advance(6 * DAY).await;
    stage.advance(DAY).await;
    stage.advance(DAY).await;
    // The history forgets the first in the meantime.
    assert_eq!(stage.days("SECRET_EXPIRY").await.last(), Some(&1));
    assert_eq!(stage.0.store.figures().accepted, 3);
}

#[tokio::test]
async fn what_passed_while_the_appliance_was_down_is_told_once_and_a_rotation_begins_anew() {
    let stage = Stage(Appliance::plain().await);
    let end = stage.now().plus(365 * DAY);
    stage.make(registration("r-1", &[end])).await;
    stage.0.clock.advance(360 * DAY);
    let stage = stage.restart().await;
    stage.swept().await;
    assert_eq!(stage.days("SECRET_EXPIRY").await, [5]);
    let later = stage.now().plus(365 * DAY);
    let rotated = |_: &Subscription| Ok::<_, ChangeError>(registration("r-1", &[end, later]));
    stage.0.engine.change(ContractName::Registrations, "r-1", rotated).await.unwrap();
    stage.advance(4 * DAY).await;
    assert_eq!(stage.days("SECRET_EXPIRY").await, [5]);
    stage.advance(331 * DAY).await;
    assert_eq!((stage.days("SECRET_EXPIRY").await.last(), stage.0.store.figures().accepted), (Some(&30), 2));
    stage.0.engine.unsubscribe(ContractName::Registrations, "r-1").await.unwrap();
    stage.swept().await;
    assert!(stage.0.store.conditions().await.unwrap().is_empty());
}

#[tokio::test]
async fn contacts_are_told_of_the_end_of_their_subscription_and_it_ends() {
    let stage = Stage::new().await;
    let end = stage.now().plus(20 * DAY);
    let endpoints =
        vec![webhook(&[]), mail("noc@example.com", Role::Contact), mail("user@example.com", Role::Subscriber)];
    let filtered = draft("m-1", ContractName::Management, "crm", endpoints);
    let made = stage.make(SubscriptionDraft { expires_at: Some(end), ..filtered }).await;
    stage.advance(12 * DAY).await;
    assert!(stage.told("tidings.subscription.expiring").await.is_empty());
    stage.advance(DAY).await;
    let told = stage.told("tidings.subscription.expiring").await;
    assert_eq!((told.len(), told[0].endpoint, told[0].kind), (1, made.endpoints[1].number, EndpointKind::Email));
    assert_eq!(
        stage.data(&told[0]).await["detail"].as_str().unwrap().find("The subscription m-1 to 301 ends in 7 days"),
        Some(0)
    );
    let stage = stage.restart().await;
    stage.advance(6 * DAY).await;
    assert_eq!(stage.days("tidings.subscription.expiring").await, [7, 1]);
    stage.advance(DAY).await;
    let ended = stage.0.engine.subscription_in(ContractName::Management, "m-1").unwrap();
    assert_eq!((ended.intake, ended.ended_at.is_some()), (Intake::Ended, true));
    let stage = stage.restart().await;
    stage.advance(29 * DAY).await;
    assert!(stage.0.engine.subscription_in(ContractName::Management, "m-1").is_some());
    stage.advance(DAY).await;
    assert!(stage.0.engine.subscription_in(ContractName::Management, "m-1").is_none());
}

#[tokio::test]
async fn one_whose_end_has_passed_gets_nothing_though_no_sweep_has_run() {
    let stage = Stage(Appliance::plain().await);
    let end = stage.now().plus(DAY);
    let subscription = draft("m-1", ContractName::Management, "crm", vec![webhook(&[])]);
    stage.make(SubscriptionDraft { expires_at: Some(end), ..subscription }).await;
    stage.0.clock.advance(DAY.saturating_sub(Duration::from_millis(1)));
    assert_eq!(stage.0.engine.publish(vec![event(None)]).await.unwrap()[0].matched, 1);
    stage.0.clock.advance(Duration::from_millis(1));
    assert_eq!(stage.0.engine.publish(vec![event(None)]).await.unwrap()[0].matched, 0);
    assert_eq!(stage.0.store.subscriptions().get("m-1").unwrap().intake, Intake::Open);
}

#[tokio::test]
async fn a_declared_one_that_has_ended_stays_so_and_goes_with_its_entry() {
    let clock_end = |appliance: &Appliance| appliance.clock.now().plus(DAY);
    let stage = Stage::new().await;
    let ending = SubscriptionDraft { expires_at: Some(clock_end(&stage.0)), ..declared("d", "crm", &["301"]) };
    let setup = Setup { declared: vec![ending], ..Setup::default() };
    let stage = Stage(stage.0.restart(setup.clone()).await);
    stage.sweeping();
    stage.advance(DAY).await;
    let intake = |stage: &Stage| stage.0.store.subscriptions().get("d").map(|s| s.intake);
    assert_eq!(intake(&stage), Some(Intake::Ended));
    stage.advance(40 * DAY).await;
    assert_eq!(intake(&stage), Some(Intake::Ended));
    let stage = Stage(stage.0.restart(setup).await);
    assert_eq!(intake(&stage), Some(Intake::Ended));
    let stage = stage.restart().await;
    stage.swept().await;
    assert_eq!(intake(&stage), None);
}

/// Which of the subscriptions get an event with this audience.
async fn reached(stage: &Stage, audience: Option<&str>) -> Vec<String> {
    let id = stage.0.engine.publish(vec![event(audience)]).await.unwrap()[0].id;
    let looked = stage.0.store.notifications(Look { limit: 100, ..Look::default() }).await.unwrap().notifications;
    let of_event = looked.iter().filter(|view| view.event == id);
    let mut reached: Vec<_> = of_event.map(|view| view.subscription.clone().unwrap().to_string()).collect();
    reached.sort();
    reached
}

#[tokio::test]
async fn each_contract_s_subscriptions_see_what_is_for_their_owners() {
    let stage = Stage::new().await;
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let held_by = |draft: SubscriptionDraft, holders: &[&str], owners: Option<&[&str]>| SubscriptionDraft {
        holders: named(holders),
        owners: owners.map(|owners| Owners::new(named(owners))),
        ..draft
    };
    // `crm` owns 1001, `erp` nothing, and nobody knows `gone`.
    let hook = || vec![webhook(&[])];
    for made in [
        held_by(draft("own", ContractName::Registrations, "crm", hook()), &["1001"], None),
        held_by(draft("for-s", ContractName::Registrations, "crm", hook()), &["s"], Some(&["s"])),
        held_by(draft("moved", ContractName::Registrations, "crm", hook()), &["s"], Some(&["s", "t"])),
        held_by(draft("managed", ContractName::Management, "crm", hook()), &["1001"], None),
        held_by(draft("taken", ContractName::Management, "erp", hook()), &["1001"], None),
        held_by(draft("lost", ContractName::Management, "gone", hook()), &["1001"], None),
        held_by(draft("list", ContractName::Recipients, "gone", vec![mail("a@h", Role::Subscriber)]), &["acme"], None),
        held_by(draft("list-2", ContractName::Recipients, "crm", vec![mail("a@h", Role::Subscriber)]), &["acme"], None),
    ] {
        stage.make(made).await;
    }
    let customer = draft("customer", ContractName::Trigger, "crm", vec![mail("j@h", Role::Subscriber)]);
    stage.make(SubscriptionDraft { profile: Some(Profile::default()), ..customer }).await;
    assert_eq!(reached(&stage, Some("1001")).await, ["managed", "moved", "own"]);
    assert_eq!(reached(&stage, Some("s,x")).await, ["for-s"]);
    assert_eq!(reached(&stage, Some("acme")).await, ["list", "list-2"]);
    assert!(reached(&stage, Some("t")).await.is_empty());
    let all = ["for-s", "list", "list-2", "lost", "managed", "moved", "own", "taken"];
    assert_eq!(reached(&stage, None).await, all);
    let holds = |id: &str| stage.0.store.subscriptions().get(id).unwrap().holds.len();
    assert_eq!((holds("lost"), holds("list"), holds("customer")), (1, 0, 0));
    let stage = stage.restart().await;
    let is_held = |id: &str| stage.0.store.subscriptions().get(id).unwrap().is_held();
    assert!(is_held("lost") && !is_held("list") && !is_held("customer"));
}

#[tokio::test]
async fn lists_and_customers_are_not_counted_among_the_subscriptions_of_a_client() {
    let limits = tidings::engine::ClientLimits { subscriptions: 1, ..tidings::engine::ClientLimits::default() };
    let stage = Stage(Appliance::start(Setup { limits, ..Setup::default() }).await);
    for id in ["c-1", "c-2", "c-3"] {
        stage.make(draft(id, ContractName::Trigger, "crm", vec![mail("j@h", Role::Subscriber)])).await;
    }
    stage.make(draft("r-1", ContractName::Registrations, "crm", vec![webhook(&[])])).await;
    let one_more = draft("r-2", ContractName::Registrations, "crm", vec![webhook(&[])]);
    assert!(stage.0.engine.make(one_more).await.is_err());
}

#[tokio::test]
async fn an_event_for_nobody_of_a_type_that_is_for_somebody_is_refused() {
    let types = vec![tidings::model::catalogue::EventType { audience_required: true, ..event_type("301") }];
    let stage = Stage(Appliance::start(Setup { event_types: types, ..Setup::default() }).await);
    let refused = stage.0.engine.publish(vec![event(None)]).await.unwrap_err();
    let PublishError::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.iter().map(|refused| refused.objection).collect::<Vec<_>>(), [Objection::NoAudience]);
    stage.0.engine.publish(vec![event(Some("1001"))]).await.unwrap();
    let built_in = EventDraft { event_type: "SECRET_EXPIRY".into(), ..event(Some("1001")) };
    assert!(matches!(stage.0.engine.publish(vec![built_in]).await, Err(PublishError::Refused(_))));
}

#[tokio::test]
async fn a_customer_is_told_by_name_and_found_by_key() {
    let stage = Stage::new().await;
    let profile = |number: usize| Profile {
        keys: [("accountId".to_owned(), number.to_string())].into(),
        channels: vec![EndpointKind::Email],
        ..Profile::default()
    };
    for (id, organisation, number) in [("c-1", Some("acme"), 42), ("c-2", None, 42), ("c-3", Some("acme"), 43)] {
        let customer = draft(id, ContractName::Trigger, "crm", vec![mail("jane@example.com", Role::Subscriber)]);
        let organisation = organisation.map(str::to_owned);
        stage.make(SubscriptionDraft { profile: Some(profile(number)), organisation, ..customer }).await;
    }
    let set = stage.0.store.subscriptions();
    let found = |organisation, value| {
        set.customers(organisation, "accountId", value).map(|customer| customer.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((found(Some("acme"), "42"), found(None, "42")), (vec!["c-1".to_owned()], vec!["c-2".to_owned()]));
    assert!(found(Some("other"), "42").is_empty() && found(Some("acme"), "4").is_empty());

    let from = Some(stage.now().plus(Duration::from_hours(8)));
    let directed = Directed { draft: event(None), identity: None, repeats: Repeats::Strict };
    let route = |set: &tidings::model::subscription::SubscriptionSet| {
        let customer = set.customers(Some("acme"), "accountId", "42").next().ok_or("nobody")?;
        Ok::<_, &str>(vec![Route { subscription: customer.id.clone(), kind: EndpointKind::Email, from }])
    };
    let receipt = stage.0.engine.publish_to(&directed, route).await.unwrap();
    assert_eq!((receipt.matched, receipt.notifications.email), (1, 1));
    let told = stage.told("301").await;
    assert_eq!((told[0].state, told[0].reason.as_deref()), (State::Held, Some(HoldReason::OutsideHours.as_str())));
    let nobody = |_: &tidings::model::subscription::SubscriptionSet| Err::<Vec<Route>, _>("nobody");
    assert!(stage.0.engine.publish_to(&directed, nobody).await.is_err());
    assert_eq!(stage.0.store.figures().accepted, 1);
}

#[tokio::test]
async fn a_customer_is_erased_at_once_and_a_declared_one_is_not() {
    let declared = SubscriptionDraft {
        created_by: "configuration".to_owned(),
        origin: tidings::model::subscription::Origin::Configuration,
        ..draft("c-0", ContractName::Trigger, "crm", vec![mail("joe@example.com", Role::Subscriber)])
    };
    let stage = Stage(Appliance::start(Setup { declared: vec![declared], ..Setup::default() }).await);
    stage.make(draft("c-1", ContractName::Trigger, "crm", vec![mail("jane@example.com", Role::Subscriber)])).await;
    let told = EventDraft { subject: Some("jane".to_owned()), ..event(None) };
    let directed = Directed { draft: told, identity: None, repeats: Repeats::Strict };
    let route =
        |_: &_| Ok::<_, &str>(vec![Route { subscription: "c-1".into(), kind: EndpointKind::Email, from: None }]);
    stage.0.engine.publish_to(&directed, route).await.unwrap();
    let (engine, contract) = (&stage.0.engine, ContractName::Trigger);
    assert!(matches!(engine.erase(contract, "c-0").await, Err(UnsubscribeError::Declared(_))));
    assert!(matches!(engine.erase(ContractName::Polling, "c-1").await, Err(UnsubscribeError::NotFound)));
    engine.erase(contract, "c-1").await.unwrap();
    assert!(matches!(engine.erase(contract, "c-1").await, Err(UnsubscribeError::NotFound)));
    let view = &stage.told("301").await[0];
    assert_eq!(view.state, State::Cancelled);
    assert_eq!(stage.0.store.event(view.event).await.unwrap().unwrap().draft.subject, None);
    assert!(engine.add_webhook_domain("s", "example.com").await.unwrap());
    assert_eq!(engine.webhook_domains("s").await.unwrap(), ["example.com"]);
    assert!(engine.remove_webhook_domain("s", "example.com").await.unwrap());
}
