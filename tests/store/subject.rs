//! A store under test with a clock that is moved by hand, and the few calls that most tests make.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tidings::base::clock::{ManualClock, Timestamp};
use tidings::base::random::SeededRandomness;
use tidings::base::seal::SealKey;
use tidings::model::event::EventDraft;
use tidings::model::id::EndpointNumber;
use tidings::model::json::RawJson;
use tidings::model::notification::EndpointKind;
use tidings::model::subscription::{ContractName, OnRemove, Origin, Subscription, SubscriptionDraft};
use tidings::model::target::Target;
use tidings::store::redb::{Faults, Options, RedbStore};
use tidings::store::{
    Append, AppendError, IdempotencyKey, Lease, NewEvent, Page, Receipt, Repeats, Store, StoreMetrics, StoreSettings,
    SubscriptionChange, Take, TargetGroup,
};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Opens and closes a store on one file.
pub(crate) struct Subject {
    pub(crate) clock: ManualClock,
    pub(crate) settings: StoreSettings,
    pub(crate) faults: Option<Arc<dyn Faults>>,
    pub(crate) dir: TempDir,
}

impl Subject {
    pub(crate) fn new() -> Self {
        Self {
            clock: ManualClock::new(Timestamp::from_millis(1_800_000_000_000)),
            settings: StoreSettings::default(),
            faults: None,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        use tidings::base::clock::Clock;
        self.clock.now()
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("tidings.redb")
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            path: self.path(),
            settings: self.settings.clone(),
            seal: Arc::new(SealKey::from_bytes([7; 32])),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(SeededRandomness::new(1)),
            metrics: StoreMetrics::new(),
            progress: Arc::new(|_| {}),
            faults: self.faults.clone(),
        }
    }

    pub(crate) fn open(&self) -> Arc<dyn Store> {
        Arc::new(RedbStore::open(self.options()).unwrap())
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store.close().await;
        drop(store);
        self.open()
    }
}

pub(crate) fn draft(id: Option<&str>, event_type: &str) -> EventDraft {
    EventDraft {
        publisher: "crm".into(),
        id: id.map(str::to_owned),
        source: "/crm".to_owned(),
        event_type: event_type.into(),
        subject: None,
        time: None,
        data_schema: None,
        audience: None,
        expiry: None,
        trace: None,
        extensions: Vec::new(),
        data: Some(RawJson::parse(&Bytes::from_static(b"{\"n\": 1.50}")).unwrap()),
    }
}

/// An event for these queues, which lives for `ttl`.
pub(crate) fn event_for(draft: EventDraft, endpoints: &[EndpointNumber], ttl: Duration) -> NewEvent {
    let identity = draft.identity();
    let targets = if endpoints.is_empty() {
        Vec::new()
    } else {
        vec![TargetGroup { kind: EndpointKind::Poll, ttl, endpoints: endpoints.to_vec(), from: None }]
    };
    NewEvent { draft, identity, repeats: Repeats::Strict, matched: u32::try_from(endpoints.len()).unwrap(), targets }
}

pub(crate) async fn append(store: &dyn Store, events: Vec<NewEvent>) -> Result<Vec<Receipt>, AppendError> {
    let matched_against = store.subscriptions().version();
    store.append(Append { matched_against, events, own: false, keep: None }).await
}

/// Stores one event for these queues and answers its receipt.
pub(crate) async fn publish(store: &dyn Store, id: Option<&str>, endpoints: &[EndpointNumber]) -> Receipt {
    let event = event_for(draft(id, "301"), endpoints, 6 * HOUR);
    append(store, vec![event]).await.unwrap().remove(0)
}

pub(crate) fn subscription_draft(id: &str) -> SubscriptionDraft {
    SubscriptionDraft {
        filter: None,
        expires_at: None,
        holders: Vec::new(),
        organisation: None,
        profile: None,
        id: id.into(),
        contract: ContractName::Polling,
        client_id: "crm".into(),
        event_types: vec!["301".into()],
        created_by: "crm".to_owned(),
        origin: Origin::Api,
        owners: None,
        on_remove: OnRemove::default(),
        endpoints: vec![Target::Poll],
    }
}

pub(crate) async fn subscribe(store: &dyn Store, id: &str) -> Arc<Subscription> {
    let change = SubscriptionChange::Create(subscription_draft(id));
    store.change_subscriptions(vec![change]).await.unwrap().remove(0)
}

/// Makes a subscription and answers its queue.
pub(crate) async fn queue(store: &dyn Store, id: &str) -> EndpointNumber {
    subscribe(store, id).await.poll_endpoint().unwrap()
}

pub(crate) fn take(endpoint: EndpointNumber, max: usize, key: Option<&str>) -> Take {
    Take {
        endpoint,
        max,
        max_bytes: 4 << 20,
        client: "crm".into(),
        request_id: "request-1".to_owned(),
        key: key.map(|k| IdempotencyKey::parse(k).unwrap()),
    }
}

pub(crate) fn lease(endpoint: EndpointNumber, max: usize) -> Lease {
    Lease {
        endpoint,
        acks: Vec::new(),
        errors: Vec::new(),
        max,
        max_bytes: 4 << 20,
        duration: Duration::from_mins(1),
        max_handouts: 10,
        client: "crm".into(),
        request_id: "request-2".to_owned(),
    }
}

/// The producer's ids in a page, our event's id where there is none.
pub(crate) fn ids(page: &Page) -> Vec<String> {
    let id = |n: &tidings::store::Handed| n.event.draft.id.clone().unwrap_or_else(|| n.event.id.to_string());
    page.notifications.iter().map(id).collect()
}

/// Takes a page and answers the ids in it.
pub(crate) async fn taken(store: &dyn Store, endpoint: EndpointNumber, max: usize) -> Vec<String> {
    ids(&store.take(take(endpoint, max, None)).await.unwrap())
}

/// That what was made is accounted for, in total and for each subscription.
pub(crate) fn assert_conserved(store: &dyn Store) {
    let figures = store.figures();
    assert_eq!(figures.accepted, figures.matched + figures.unmatched);
    for kind in EndpointKind::ALL {
        assert!(figures.sums.get(kind).is_conserved(), "{kind:?}: {:?}", figures.sums.get(kind));
    }
    for one in store.subscription_sums() {
        assert!(one.sums.is_conserved(), "{}: {:?}", one.id, one.sums);
    }
}
