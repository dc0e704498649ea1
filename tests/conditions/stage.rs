//! An appliance with a watch for conditions, and a subscription `watch` that wants all of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tidings::base::clock::{Clock as _, Timestamp};
use tidings::engine::{ConditionParts, ConditionWatch, DownTargets, Expiry, Filter, RefusedFiles};
use tidings::model::condition::Condition;
use tidings::model::id::EndpointNumber;
use tidings::model::subscription::{HoldReason, SubscriptionDraft};
use tidings::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, SigningSecret, Target, WebhookTarget};
use tidings::store::{EndpointHold, Standing, Store as _};

use crate::support::{Appliance, Setup, declared};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// What was told, in a line: type, status and subject.
pub(crate) type Told = (String, String, String);

/// What the files are said to have. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct FileState {
    pub(crate) expiring: Arc<Mutex<Vec<Expiry>>>,
    pub(crate) refused: Arc<Mutex<Option<RefusedFiles>>>,
}

/// An appliance whose conditions are looked for whenever a test says so.
pub(crate) struct Stage {
    pub(crate) appliance: Appliance,
    pub(crate) down: Arc<DownTargets>,
    pub(crate) files: FileState,
    pub(crate) queue_total: u64,
    watch: ConditionWatch,
    setup: Setup,
}

impl Stage {
    /// One with these subscriptions besides `watch`.
    pub(crate) async fn with(declared: Vec<SubscriptionDraft>) -> Self {
        Self::of(Setup { declared, ..Setup::default() }).await
    }

    pub(crate) async fn of(mut setup: Setup) -> Self {
        setup.declared.push(watcher());
        let appliance = Appliance::start(setup.clone()).await;
        let (down, files) = (Arc::default(), FileState::default());
        let watch = watch(&appliance, &down, &files, u64::MAX);
        Self { appliance, down, files, queue_total: u64::MAX, watch, setup }
    }

    /// Stops it and starts it again; what delivery had said of targets is forgotten.
    pub(crate) async fn restart(self) -> Self {
        let Self { appliance, files, queue_total, setup, watch: old, .. } = self;
        drop(old);
        let (appliance, down) = (appliance.restart(setup.clone()).await, Arc::default());
        let watch = watch(&appliance, &down, &files, queue_total);
        Self { appliance, down, files, queue_total, watch, setup }
    }

    /// Makes `limits.queue_total` another one, as a start would.
    pub(crate) fn limit_total(&mut self, queue_total: u64) {
        self.queue_total = queue_total;
        self.watch = watch(&self.appliance, &self.down, &self.files, queue_total);
    }

    /// Time goes on, nobody looks.
    pub(crate) fn advance(&self, by: Duration) {
        self.appliance.clock.advance(by);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.appliance.clock.now()
    }

    /// Looks for conditions; answers what was told, as `watch` gets it.
    pub(crate) async fn look(&mut self) -> Vec<Told> {
        let text = |told: &Value, name: &str| told[name].as_str().unwrap().to_owned();
        let told = self.look_whole().await;
        told.iter().map(|told| (text(told, "event_type_id"), text(told, "status"), text(told, "subject"))).collect()
    }

    /// The same with all that was told.
    pub(crate) async fn look_whole(&mut self) -> Vec<Value> {
        self.watch.look().await;
        self.appliance.poll("watch").await
    }

    /// Looks after so much time.
    pub(crate) async fn look_after(&mut self, by: Duration) -> Vec<Told> {
        self.advance(by);
        self.look().await
    }

    /// The endpoint of this place in a subscription.
    pub(crate) fn endpoint(&self, subscription: &str, index: usize) -> EndpointNumber {
        self.appliance.store.subscriptions().get(subscription).unwrap().endpoints[index].number
    }

    /// How many notifications wait for an endpoint, of types that the appliance tells or others.
    pub(crate) fn waiting(&self, subscription: &str, index: usize) -> u64 {
        self.appliance.store.queue(self.endpoint(subscription, index)).waiting
    }

    /// The webhook, which is the first endpoint of `subscription`, is held.
    pub(crate) async fn hold(&self, subscription: &str, reason: HoldReason, probes: u32) {
        let hold = EndpointHold { reason, since: self.now(), probe_at: None, probes };
        let standing = Standing {
            hold: Some(hold),
            failures: 5,
            failing_since: Some(self.now()),
            last_fault: Some("connect-refused".to_owned()),
            ..Standing::default()
        };
        self.appliance.store.stand(self.endpoint(subscription, 0), standing).await.unwrap();
    }

    /// It is sent to again.
    pub(crate) async fn recover(&self, subscription: &str) {
        self.appliance.store.stand(self.endpoint(subscription, 0), Standing::default()).await.unwrap();
    }

    /// How many events of this type there are, whoever got them.
    pub(crate) async fn events_of(&self, condition: Condition) -> usize {
        let filter = Filter { event_type: Some(condition.as_str().into()), ..Filter::default() };
        let looked = self.appliance.engine.notifications(&filter, None, 1000).await.unwrap();
        let mut events: Vec<_> = looked.notifications.iter().map(|notification| notification.event).collect();
        events.dedup();
        events.len()
    }
}

fn watch(appliance: &Appliance, down: &Arc<DownTargets>, files: &FileState, queue_total: u64) -> ConditionWatch {
    let FileState { expiring, refused } = files.clone();
    let parts = ConditionParts {
        down: Arc::clone(down),
        expiring: Arc::new(move || expiring.lock().clone()),
        refused: Arc::new(move || refused.lock().clone()),
        queue_total: Arc::new(move || queue_total),
    };
    ConditionWatch::new(appliance.engine.clone(), parts)
}

/// The subscription `watch`.
pub(crate) fn watcher() -> SubscriptionDraft {
    declared("watch", "crm", &Condition::ALL.map(Condition::as_str))
}

/// A subscription with a webhook and these further endpoints.
pub(crate) fn pushed(id: &str, more: &[Target]) -> SubscriptionDraft {
    let webhook = Target::Webhook(webhook(vec![signing(None)]));
    SubscriptionDraft { endpoints: [&[webhook], more].concat(), ..declared(id, "crm", &["301"]) }
}

pub(crate) fn webhook(secrets: Vec<SigningSecret>) -> WebhookTarget {
    WebhookTarget {
        url: "https://receiver.example/hooks/T0K3N?key=s3cret".to_owned(),
        egress: "plant".to_owned(),
        ordering: Ordering::Relaxed,
        content_mode: ContentMode::Structured,
        secrets,
        asymmetric: false,
        shape: Shape::CloudEvent,
        basic: None,
        retries: true,
    }
}

pub(crate) fn signing(not_after: Option<Timestamp>) -> SigningSecret {
    SigningSecret { key: vec![7; 24].into(), not_before: None, not_after }
}

pub(crate) fn mail(address: &str, role: Role) -> Target {
    Target::Email(EmailTarget { address: address.to_owned(), role, template: None, locale: None })
}

/// What was told of one condition.
pub(crate) fn told(condition: Condition, status: &str, subject: &str) -> Told {
    (condition.as_str().to_owned(), status.to_owned(), subject.to_owned())
}
