//! An appliance that delivers by a script, under a clock that stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tidings::base::clock::{Clock as _, Timestamp};
use tidings::engine::{
    ChannelSettings, Channels, Conditions, Delivery, DeliveryMetrics, DeliverySettings, EndpointName, EndpointReport,
    EndpointState, TargetDown,
};
use tidings::model::id::LedgerId;
use tidings::model::notification::State;
use tidings::model::subscription::SubscriptionDraft;
use tidings::model::target::{ContentMode, EmailTarget, Ordering, Role, Shape, Target, WebhookTarget};
use tidings::store::{Look, Standing, Store as _, Story};
use tokio::task::JoinHandle;

use crate::script::Script;
use crate::support::client::Call;
use crate::support::{Appliance, Setup, declared, event_type, until};

/// What was told of conditions, in words.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn say(&self, what: &str, name: &str) {
        self.0.lock().push(format!("{what} {name}"));
    }
}

impl Conditions for Told {
    fn endpoint_held(&self, endpoint: &EndpointName, standing: &Standing) {
        assert!(standing.hold.is_some());
        self.say("held", &endpoint.place);
    }
    fn endpoint_disabled(&self, endpoint: &EndpointName, standing: &Standing) {
        assert!(standing.hold.is_some());
        self.say("disabled", &endpoint.place);
    }
    fn endpoint_recovered(&self, endpoint: &EndpointName, standing: &Standing) {
        assert!(standing.hold.is_none() && standing.recovered.is_some());
        self.say("recovered", &endpoint.place);
    }
    fn target_down(&self, down: &TargetDown) {
        self.say("down", &down.target);
    }
    fn target_up(&self, down: &TargetDown) {
        self.say("up", &down.target);
    }
}

/// An appliance that delivers.
pub(crate) struct Stage {
    pub(crate) appliance: Appliance,
    pub(crate) script: Arc<Script>,
    pub(crate) told: Arc<Told>,
    metrics: DeliveryMetrics,
    work: JoinHandle<()>,
}

/// A schedule of a few short pauses.
pub(crate) fn short() -> DeliverySettings {
    let schedule = [5, 300, 1800].map(Duration::from_secs).to_vec();
    let webhooks = ChannelSettings { schedule, ..ChannelSettings::webhooks() };
    DeliverySettings { webhooks, email: Some(ChannelSettings::mail()), ..DeliverySettings::default() }
}

/// A declared subscription to `types` with a webhook at `url`.
pub(crate) fn hook(id: &str, types: &[&str], url: &str) -> SubscriptionDraft {
    pushed(id, types, vec![webhook(url, Ordering::Relaxed)])
}

/// The same in strict order.
pub(crate) fn strict(id: &str, types: &[&str], url: &str) -> SubscriptionDraft {
    pushed(id, types, vec![webhook(url, Ordering::Strict)])
}

pub(crate) fn pushed(id: &str, types: &[&str], endpoints: Vec<Target>) -> SubscriptionDraft {
    SubscriptionDraft { endpoints, ..declared(id, "erp", types) }
}

pub(crate) fn webhook(url: &str, ordering: Ordering) -> Target {
    Target::Webhook(WebhookTarget {
        url: url.to_owned(),
        egress: "default".to_owned(),
        ordering,
        content_mode: ContentMode::Structured,
        secrets: Vec::new(),
        asymmetric: true,
        shape: Shape::CloudEvent,
        basic: None,
        retries: true,
    })
}

pub(crate) fn mail(address: &str) -> Target {
    let (template, locale) = (None, None);
    Target::Email(EmailTarget { address: address.to_owned(), role: Role::Subscriber, template, locale })
}

/// A setup of these subscriptions, with short schedules. Webhooks of events of the type `brief` live for ten seconds.
pub(crate) fn setup(declared: Vec<SubscriptionDraft>) -> Setup {
    let mut brief = event_type("brief");
    brief.ttl.webhook = Some(Duration::from_secs(10));
    Setup { declared, event_types: vec![brief], delivery: short(), ..Setup::default() }
}

impl Stage {
    /// One with a webhook at `http://a` for events of the types `x` and `brief`.
    pub(crate) async fn plain() -> Self {
        Self::start(setup(vec![hook("a", &["x", "brief"], "http://a")])).await
    }

    pub(crate) async fn start(setup: Setup) -> Self {
        let appliance = Appliance::start(setup).await;
        let script = Script::new(appliance.clock.clone());
        Self::on(appliance, script, Arc::default())
    }

    /// The same with a script that was written before.
    pub(crate) fn on(appliance: Appliance, script: Arc<Script>, told: Arc<Told>) -> Self {
        let metrics = DeliveryMetrics::new();
        let delivery = Delivery { conditions: told.clone(), metrics: metrics.clone() };
        let work = tokio::spawn(appliance.engine.clone().run_delivery(delivery));
        let stage = Self { appliance, script, told, metrics, work };
        stage.use_script();
        stage
    }

    /// Has things sent by the script, with the settings of now.
    pub(crate) fn use_script(&self) {
        let channel = Some(self.script.clone() as _);
        self.appliance.engine.use_channels(Channels { webhooks: channel.clone(), email: channel });
    }

    /// Stops it, waits for the end of deliveries, and starts it on the same data file.
    pub(crate) async fn restart(self, setup: Setup) -> Self {
        let Self { appliance, script, told, work, .. } = self;
        appliance.stop.stop();
        work.await.unwrap();
        Self::on(appliance.restart(setup).await, script, told)
    }

    /// Kills deliveries as a crash does, and starts it on the same data file.
    pub(crate) async fn crash(self, setup: Setup) -> Self {
        let Self { appliance, script, told, work, .. } = self;
        work.abort();
        let _ = work.await;
        Self::on(appliance.restart(setup).await, script, told)
    }

    /// Stops it; deliveries must end.
    pub(crate) async fn stop(self) -> Arc<Script> {
        self.appliance.stop.stop();
        self.work.await.unwrap();
        self.script
    }

    /// Publishes events of `event_type` with these names.
    pub(crate) async fn publish(&self, event_type: &str, names: &[&str]) {
        let event = |name: &&str| json!({"specversion": "1.0", "id": uuid(), "source": "/tests", "type": event_type, "subject": name, "data": {}});
        let batch: Vec<_> = names.iter().map(event).collect();
        let batch = serde_json::to_string(&batch).unwrap();
        let call = Call::post_as("/v1/events", "crm", "application/cloudevents-batch+json", batch);
        self.appliance.send(call).await.expect(202);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.appliance.clock.now()
    }

    /// Lets time go by.
    pub(crate) fn advance(&self, by: Duration) {
        self.appliance.clock.advance(by);
    }

    /// Lets time go by until then.
    pub(crate) fn advance_to(&self, to: Timestamp) {
        self.advance(to.since(self.now()));
    }

    /// Waits until so many attempts were made in all, and all have been settled.
    pub(crate) async fn tried(&self, count: usize) {
        until(&format!("{count} attempts, {:?}", self.script.count()), || self.script.count() >= count).await;
        self.settled().await;
        assert_eq!(self.script.count(), count, "{:?}", self.script.names());
    }

    /// Waits until what is under way has ended and is settled.
    pub(crate) async fn settled(&self) {
        until("all is settled", || self.in_flight() == 0).await;
    }

    /// Nothing is tried for a while, though it could be.
    pub(crate) async fn quiet(&self) {
        let before = self.script.count();
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(self.script.count(), before, "{:?}", self.script.tried().last());
    }

    pub(crate) fn in_flight(&self) -> usize {
        let set = self.appliance.store.subscriptions();
        set.iter().flat_map(|s| self.endpoints(s.id.as_str())).map(|endpoint| endpoint.in_flight).sum()
    }

    pub(crate) fn endpoints(&self, subscription: &str) -> Vec<EndpointReport> {
        self.appliance.engine.endpoint_states(subscription)
    }

    /// The only endpoint of a subscription.
    pub(crate) fn endpoint(&self, subscription: &str) -> EndpointReport {
        self.endpoints(subscription).pop().unwrap()
    }

    pub(crate) fn state(&self, subscription: &str) -> EndpointState {
        self.endpoint(subscription).state
    }

    /// When a held endpoint is probed next.
    pub(crate) fn probe_at(&self, subscription: &str) -> Timestamp {
        self.endpoint(subscription).standing.hold.unwrap().probe_at.unwrap()
    }

    /// All notifications of a subscription, in order of acceptance.
    pub(crate) async fn stories(&self, subscription: &str) -> Vec<Story> {
        let mut look = Look { subscription: Some(subscription.into()), limit: 1000, ..Look::default() };
        let mut stories = Vec::new();
        loop {
            let looked = self.appliance.store.notifications(look.clone()).await.unwrap();
            for view in &looked.notifications {
                stories.push(self.story(view.id).await);
            }
            match looked.cursor {
                Some(cursor) => look.cursor = Some(cursor),
                None => return stories,
            }
        }
    }

    pub(crate) async fn story(&self, id: LedgerId) -> Story {
        self.appliance.store.story(id).await.unwrap().unwrap()
    }

    /// The states and reasons of all notifications of a subscription.
    pub(crate) async fn ends(&self, subscription: &str) -> Vec<(State, Option<String>)> {
        self.stories(subscription).await.into_iter().map(|story| (story.view.state, story.view.reason)).collect()
    }

    /// The only notification of a subscription.
    pub(crate) async fn only(&self, subscription: &str) -> Story {
        let mut stories = self.stories(subscription).await;
        assert_eq!(stories.len(), 1);
        stories.pop().unwrap()
    }

    /// When the only notification of a subscription is tried next.
    pub(crate) async fn due(&self, subscription: &str) -> Timestamp {
        self.only(subscription).await.push.due.unwrap()
    }

    /// When the notification of this name is tried next.
    pub(crate) async fn due_of(&self, subscription: &str, name: &str) -> Timestamp {
        let stories = self.stories(subscription).await;
        let is_it = |story: &&Story| story.event.as_ref().unwrap().draft.subject.as_deref() == Some(name);
        stories.iter().find(is_it).unwrap().push.due.unwrap()
    }

    /// The metrics of deliveries, in the text format.
    pub(crate) fn metrics(&self) -> String {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }
}

fn uuid() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("event-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
