//! Random courses of notifications against the rules in lists: publishes, leases, acknowledgements, polls with and
//! without keys, holds, time, sweeps, removals, restarts, kills and faults of the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::store::redb::verify;
use tidings::store::{Handed, Lease, Store, StoreError, SubscriptionChange};

use super::faults::{Switches, recovered};
use super::rules::{Answered, Asked, QUEUES, Rules};
use super::subject::*;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        to: [bool; QUEUES],
        ttl: u64,
    },
    Take {
        queue: usize,
        max: usize,
        key: Option<u8>,
    },
    Lease {
        queue: usize,
        max: usize,
        millis: u64,
        max_handouts: u32,
        acks: Vec<u16>,
        errors: Vec<u16>,
    },
    Advance(u64),
    Sweep,
    Reopen,
    Kill,
    Renew {
        queue: usize,
    },
    Hold {
        queue: usize,
        hold: bool,
    },
    /// The disk fails after so many operations below, while this is asked.
    Fail {
        operations: u8,
        asked: Box<Step>,
    },
}

/// What the disk may fail in.
fn asked() -> impl Strategy<Value = Step> {
    let places = || proptest::collection::vec(any::<u16>(), 0..6);
    prop_oneof![
        8 => (any::<[bool; QUEUES]>(), 1..300_000_u64).prop_map(|(to, ttl)| Step::Publish { to, ttl }),
        3 => (0..QUEUES, 1..6_usize, proptest::option::of(0..3_u8))
            .prop_map(|(queue, max, key)| Step::Take { queue, max, key }),
        10 => (0..QUEUES, 0..6_usize, 1..90_000_u64, 1..4_u32, places(), places()).prop_map(
            |(queue, max, millis, max_handouts, acks, errors)| {
                Step::Lease { queue, max, millis, max_handouts, acks, errors }
            }
        ),
        3 => Just(Step::Sweep),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        96 => asked(),
        24 => (1..90_000_u64).prop_map(Step::Advance),
        4 => Just(Step::Reopen),
        4 => Just(Step::Kill),
        4 => (0..QUEUES).prop_map(|queue| Step::Renew { queue }),
        4 => (0..QUEUES, any::<bool>()).prop_map(|(queue, hold)| Step::Hold { queue, hold }),
        1 => (0..12_u8, asked()).prop_map(|(operations, asked)| Step::Fail { operations, asked: Box::new(asked) }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// The result, unless the disk failed.
fn ok<T>(result: Result<T, StoreError>) -> Result<T, ()> {
    match result {
        Ok(value) => Ok(value),
        Err(StoreError::Unavailable { .. }) => Err(()),
        Err(other) => panic!("{other}"),
    }
}

/// Holds the place of a store that is being opened again.
fn unopened() -> Arc<dyn Store> {
    Subject::new().open()
}

/// A store beside the rules.
struct Pair {
    subject: Subject,
    faults: Arc<Switches>,
    store: Arc<dyn Store>,
    queues: [EndpointNumber; QUEUES],
    rules: Rules,
    start: i64,
    /// The number of each event by its id.
    serials: BTreeMap<String, u64>,
    /// The id of each notification, as they are in the rules.
    ids: Vec<LedgerId>,
}

impl Pair {
    async fn new() -> Self {
        let mut subject = Subject::new();
        let faults = Switches::new();
        subject.faults = Some(faults.clone());
        subject.settings.duplicate_window = Duration::from_secs(1);
        subject.settings.history = Duration::from_mins(5);
        subject.settings.history_max = 2_000;
        let store = subject.open();
        let queues = [queue(&*store, "q0").await, queue(&*store, "q1").await, queue(&*store, "q2").await];
        let start = subject.clock_now().as_millis();
        let (rules, serials, ids) = (Rules::default(), BTreeMap::new(), Vec::new());
        Self { subject, faults, store, queues, rules, start, serials, ids }
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Advance(millis) => {
                self.subject.clock.advance(Duration::from_millis(millis));
                self.rules.now += millis.cast_signed();
            }
            Step::Reopen => self.store = self.subject.reopen(std::mem::replace(&mut self.store, unopened())).await,
            Step::Kill => self.kill().await,
            Step::Renew { queue: index } => {
                let name = format!("q{index}");
                let remove = SubscriptionChange::Remove(name.as_str().into());
                self.store.change_subscriptions(vec![remove]).await.unwrap();
                self.queues[index] = queue(&*self.store, &name).await;
                self.rules.renew(index);
            }
            Step::Hold { queue, hold } => {
                let id = format!("q{queue}").as_str().into();
                let change = if hold { SubscriptionChange::Hold } else { SubscriptionChange::Release };
                self.store.change_subscriptions(vec![change(id, HoldReason::Paused)]).await.unwrap();
                self.rules.held[queue] = hold;
            }
            Step::Fail { operations, asked } => {
                let before = self.rules.clone();
                self.faults.fail_after(operations.into());
                let asked = *asked;
                let failed = self.ask(asked.clone()).await.is_err();
                self.faults.mend();
                recovered(&*self.store).await;
                if failed {
                    self.resolve(asked, before).await;
                }
            }
            asked => self.ask(asked).await.unwrap(),
        }
    }

    /// What was answered with an error is there whole or not at all. An event that is sent again is known if it is.
    async fn resolve(&mut self, asked: Step, before: Rules) {
        if let Step::Publish { .. } = asked {
            self.rules = before;
            return self.ask(asked).await.unwrap();
        }
        self.rules.pass();
        if self.figures() != Self::expected(&self.rules) {
            self.rules = before;
        }
    }

    /// What can fail, in the store and by the rules.
    async fn ask(&mut self, step: Step) -> Result<(), ()> {
        match step {
            Step::Publish { to, ttl } => self.publish(to, ttl).await,
            Step::Take { queue, max, key } => {
                let expected = self.rules.take(queue, max, key);
                let name = key.map(|k| k.to_string());
                let page = ok(self.store.take(take(self.queues[queue], max, name.as_deref())).await)?;
                assert_eq!(self.serials_of(&page.notifications), expected);
                Ok(())
            }
            Step::Lease { queue, max, millis, max_handouts, acks, errors } => {
                let places = |picks: Vec<u16>| {
                    let picks = picks.into_iter().filter(|_| !self.ids.is_empty());
                    picks.map(|pick| usize::from(pick) % self.ids.len()).collect::<Vec<_>>()
                };
                let (acks, errors, millis) = (places(acks), places(errors), millis.cast_signed());
                self.lease(Asked { queue, acks, errors, max, millis, max_handouts }).await
            }
            _ => {
                while ok(self.store.sweep().await)?.more {}
                Ok(())
            }
        }
    }

    async fn publish(&mut self, to: [bool; QUEUES], ttl: u64) -> Result<(), ()> {
        let targets: Vec<_> = (0..QUEUES).filter(|queue| to[*queue]).collect();
        let mut numbers: Vec<_> = targets.iter().map(|queue| self.queues[*queue]).collect();
        numbers.sort();
        self.rules.publish(to, ttl.cast_signed());
        let id = self.rules.serial.to_string();
        let event = event_for(draft(Some(&id), "301"), &numbers, Duration::from_millis(ttl));
        let receipt = match append(&*self.store, vec![event]).await {
            Ok(mut receipts) => receipts.remove(0),
            Err(tidings::store::AppendError::Store(StoreError::Unavailable { .. })) => return Err(()),
            Err(other) => panic!("{other}"),
        };
        self.serials.insert(receipt.id.to_string(), self.rules.serial);
        for queue in targets {
            let target = numbers.iter().position(|number| *number == self.queues[queue]).unwrap() + 1;
            let target = u32::try_from(target).unwrap();
            self.ids.push(LedgerId::new(LedgerIdParts { target, ..receipt.id.parts() }));
        }
        Ok(())
    }

    async fn lease(&mut self, asked: Asked) -> Result<(), ()> {
        let ids = |places: &[usize]| places.iter().map(|place| self.ids[*place]).collect::<Vec<_>>();
        let lease = Lease {
            acks: ids(&asked.acks),
            errors: ids(&asked.errors).into_iter().map(|id| (id, "refused: by me".to_owned())).collect(),
            duration: Duration::from_millis(asked.millis.cast_unsigned()),
            max_handouts: asked.max_handouts,
            ..lease(self.queues[asked.queue], asked.max)
        };
        let expected = self.rules.lease(&asked);
        let leased = ok(self.store.lease(lease).await)?;
        let answered = Answered {
            page: self.serials_of(&leased.notifications),
            until: leased.until.map(|until| until.as_millis() - self.start),
            more: leased.more,
            consumed: leased.consumed,
            failed: leased.failed,
        };
        assert_eq!(answered, expected);
        Ok(())
    }

    fn serials_of(&self, notifications: &[Handed]) -> Vec<u64> {
        notifications.iter().map(|n| self.serials[&n.event.id.to_string()]).collect()
    }

    /// Kills the process: what is on disk while the file is open is all that is left.
    async fn kill(&mut self) {
        let copy = self.subject.dir.path().join("copy");
        std::fs::copy(self.subject.path(), &copy).unwrap();
        std::mem::replace(&mut self.store, unopened()).close().await;
        std::fs::rename(copy, self.subject.path()).unwrap();
        self.store = self.subject.open();
    }

    /// What the store counts, for each queue and in all.
    fn figures(&self) -> Vec<(u64, u64, Vec<u64>)> {
        let sums = self.store.subscription_sums();
        let mut figures: Vec<_> = (0..QUEUES)
            .map(|queue| {
                let status = self.store.queue(self.queues[queue]);
                let sums = sums.iter().find(|one| one.id.as_str() == format!("q{queue}")).unwrap();
                assert!(status.waiting == 0 || status.held == 0);
                (status.waiting + status.held, status.leased, State::ALL.map(|state| sums.sums.get(state)).to_vec())
            })
            .collect();
        let all = self.store.figures().sums.poll;
        figures.push((0, 0, State::ALL.map(|state| all.get(state)).to_vec()));
        figures
    }

    /// The same by the rules.
    fn expected(rules: &Rules) -> Vec<(u64, u64, Vec<u64>)> {
        let states = |queue| State::ALL.map(|state| rules.count(queue, state)).to_vec();
        let mut figures: Vec<_> = (0..QUEUES)
            .map(|queue| {
                let count = |state| rules.count(Some(queue), state);
                (count(State::Queued) + count(State::Held), count(State::Leased), states(Some(queue)))
            })
            .collect();
        figures.push((0, 0, states(None)));
        figures
    }

    fn check(&mut self) {
        self.rules.pass();
        assert_eq!(self.figures(), Self::expected(&self.rules));
        assert_conserved(&*self.store);
    }

    /// Closes the store, and checks that its file says the same.
    async fn end(mut self) {
        self.faults.mend();
        recovered(&*self.store).await;
        self.check();
        self.store.close().await;
        drop(std::mem::replace(&mut self.store, unopened()));
        let report = verify(&self.subject.path(), &(Arc::new(|_| {}) as _)).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        let sums = State::ALL.map(|state| report.sums.poll.get(state)).to_vec();
        // The file's sums are those of its last transaction.
        let later = Self::expected(&self.rules).pop().unwrap().2;
        assert_eq!(sums.iter().sum::<u64>(), later.iter().sum::<u64>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_notification_s_course_is_that_of_the_rules(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for step in steps {
                pair.apply(step).await;
                pair.check();
            }
            pair.end().await;
        });
    }
}
