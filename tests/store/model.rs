//! Random histories against a model of lists: publishes, polls with and without keys, time, sweeps, removals, restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidings::model::id::EndpointNumber;
use tidings::model::notification::State;
use tidings::store::{Store, SubscriptionChange};

use super::subject::*;

const QUEUES: usize = 3;
const KEPT_MILLIS: i64 = 600_000;
const WINDOW_MILLIS: i64 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Publish { to: [bool; QUEUES], id: Option<u8>, ttl_millis: u64 },
    Take { queue: usize, max: usize, key: Option<u8> },
    Advance(u64),
    Sweep,
    Reopen,
    Renew { queue: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (any::<[bool; QUEUES]>(), proptest::option::of(0..20_u8), 1..900_000_u64)
            .prop_map(|(to, id, ttl_millis)| Step::Publish { to, id, ttl_millis }),
        6 => (0..QUEUES, 1..8_usize, proptest::option::of(0..4_u8))
            .prop_map(|(queue, max, key)| Step::Take { queue, max, key }),
        3 => (1..400_000_u64).prop_map(Step::Advance),
        2 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
        1 => (0..QUEUES).prop_map(|queue| Step::Renew { queue }),
    ];
    proptest::collection::vec(step, 1..60)
}

#[derive(Default)]
struct Model {
    now: i64,
    serial: u64,
    /// What waits in each queue: the event's serial number and the deadline.
    waiting: [Vec<(u64, i64)>; QUEUES],
    /// Identity → accepted at, serial number.
    identities: BTreeMap<u8, (i64, u64)>,
    /// Queue and key → taken at, page.
    pages: BTreeMap<(usize, u8), (i64, Vec<u64>)>,
    created: u64,
    consumed: u64,
    expired: u64,
    cancelled: u64,
}

impl Model {
    fn live(&self, queue: usize) -> impl Iterator<Item = u64> {
        self.waiting[queue].iter().filter(|(_, deadline)| *deadline > self.now).map(|(serial, _)| *serial)
    }

    fn expire(&mut self) {
        for queue in &mut self.waiting {
            let before = queue.len();
            queue.retain(|(_, deadline)| *deadline > self.now);
            self.expired += (before - queue.len()) as u64;
        }
    }

    /// Answers whether it is a repeat.
    fn publish(&mut self, to: [bool; QUEUES], id: Option<u8>, ttl: u64) -> bool {
        if let Some((accepted, _)) = id.and_then(|id| self.identities.get(&id))
            && accepted + WINDOW_MILLIS > self.now
        {
            return true;
        }
        self.serial += 1;
        if let Some(id) = id {
            self.identities.insert(id, (self.now, self.serial));
        }
        for (queue, _) in self.waiting.iter_mut().zip(to).filter(|(_, to)| *to) {
            queue.push((self.serial, self.now + ttl.cast_signed()));
            self.created += 1;
        }
        false
    }

    fn take(&mut self, queue: usize, max: usize, key: Option<u8>) -> Vec<u64> {
        self.expire();
        if let Some((taken, page)) = key.and_then(|key| self.pages.get(&(queue, key)))
            && taken + KEPT_MILLIS > self.now
        {
            return page.clone();
        }
        let page: Vec<u64> = self.live(queue).take(max).collect();
        self.waiting[queue].retain(|(serial, _)| !page.contains(serial));
        self.consumed += page.len() as u64;
        if let (Some(key), false) = (key, page.is_empty()) {
            self.pages.insert((queue, key), (self.now, page.clone()));
        }
        page
    }

    /// The queue's subscription is removed, and one of the same name made anew.
    fn renew(&mut self, queue: usize) {
        self.expire();
        self.cancelled += self.waiting[queue].len() as u64;
        self.waiting[queue].clear();
        self.pages.retain(|(q, _), _| *q != queue);
    }
}

/// A store beside its model.
struct Pair {
    subject: Subject,
    store: std::sync::Arc<dyn Store>,
    queues: [EndpointNumber; QUEUES],
    model: Model,
    /// The serial number of each event in the model by its id in the store.
    serials: BTreeMap<String, u64>,
}

impl Pair {
    async fn new() -> Self {
        let mut subject = Subject::new();
        subject.settings.duplicate_window = Duration::from_millis(WINDOW_MILLIS.cast_unsigned());
        subject.settings.history = Duration::from_mins(5);
        subject.settings.history_max = 2_000;
        let store = subject.open();
        let queues = [queue(&*store, "q0").await, queue(&*store, "q1").await, queue(&*store, "q2").await];
        Self { subject, store, queues, model: Model::default(), serials: BTreeMap::new() }
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Publish { to, id, ttl_millis } => self.publish(to, id, ttl_millis).await,
            Step::Take { queue, max, key } => {
                let name = key.map(|k| k.to_string());
                let page = self.store.take(take(self.queues[queue], max, name.as_deref())).await.unwrap();
                let page: Vec<u64> = page.notifications.iter().map(|n| self.serials[&n.event.id.to_string()]).collect();
                assert_eq!(page, self.model.take(queue, max, key));
            }
            Step::Advance(millis) => {
                self.subject.clock.advance(Duration::from_millis(millis));
                self.model.now += millis.cast_signed();
            }
            Step::Sweep => while self.store.sweep().await.unwrap().more {},
            Step::Reopen => {
                self.store = self.subject.reopen(std::mem::replace(&mut self.store, unopened())).await;
            }
            Step::Renew { queue: index } => {
                let name = format!("q{index}");
                let remove = SubscriptionChange::Remove(name.as_str().into());
                self.store.change_subscriptions(vec![remove]).await.unwrap();
                self.queues[index] = queue(&*self.store, &name).await;
                self.model.renew(index);
            }
        }
    }

    async fn publish(&mut self, to: [bool; QUEUES], id: Option<u8>, ttl_millis: u64) {
        let targets: Vec<_> = self.queues.iter().zip(to).filter(|(_, to)| *to).map(|(q, _)| *q).collect();
        let mut targets = targets;
        targets.sort();
        let id_text = id.map(|i| i.to_string());
        let event = event_for(draft(id_text.as_deref(), "301"), &targets, Duration::from_millis(ttl_millis));
        let receipt = append(&*self.store, vec![event]).await.unwrap().remove(0);
        let repeat = self.model.publish(to, id, ttl_millis);
        assert_eq!(receipt.duplicate, repeat);
        let serial = if repeat { self.model.identities[&id.unwrap()].1 } else { self.model.serial };
        assert_eq!(*self.serials.entry(receipt.id.to_string()).or_insert(serial), serial);
    }

    fn check(&mut self) {
        for (index, queue) in self.queues.iter().enumerate() {
            assert_eq!(self.store.queue(*queue).waiting, self.model.live(index).count() as u64);
        }
        self.model.expire();
        let sums = self.store.figures().sums.poll;
        let Model { created, consumed, expired, cancelled, .. } = self.model;
        assert_eq!(
            [State::Consumed, State::Expired, State::Cancelled].map(|s| sums.get(s)),
            [consumed, expired, cancelled]
        );
        assert_eq!(sums.created, created);
        assert_conserved(&*self.store);
    }
}

/// Holds the place of a store that is being opened again.
fn unopened() -> std::sync::Arc<dyn Store> {
    let subject = Subject::new();
    subject.open()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_store_behaves_as_lists_do(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for step in steps {
                pair.apply(step).await;
                pair.check();
            }
            pair.store.close().await;
            drop(std::mem::replace(&mut pair.store, unopened()));
            let report = tidings::store::redb::verify(&pair.subject.path(), &(std::sync::Arc::new(|_| {}) as _)).unwrap();
            assert_eq!(report.findings, Vec::<String>::new());
            assert_eq!(report.sums.poll.created, pair.model.created);
        });
    }
}
