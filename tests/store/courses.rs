//! Random courses of notifications against the rules in lists: publishes, leases, acknowledgements, polls with and
//! without keys, holds, time, sweeps, removals, restarts, kills and faults of the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidings::base::clock::Timestamp;
use tidings::model::event::EventDraft;
use tidings::model::id::{EndpointNumber, LedgerId, LedgerIdParts};
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::store::redb::verify;
use tidings::store::{
    Act, Action, Handed, Lease, Look, NotDone, NotificationView, Store, StoreError, SubscriptionChange,
};

use super::faults::{Switches, recovered};
use super::rules::{Answered, Asked, Note, QUEUES, Rules, Stand};
use super::subject::*;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        to: [bool; QUEUES],
        ttl: u64,
        expiry: Option<u64>,
    },
    Take {
        queue: usize,
        max: usize,
        key: Option<u8>,
        confirm: bool,
    },
    Lease {
        queue: usize,
        max: usize,
        millis: u64,
        max_handouts: u32,
        acks: Vec<u16>,
        errors: Vec<u16>,
    },
    /// Cancels, or reopens for so long.
    Act {
        items: Vec<(u16, Option<u64>)>,
        dry_run: bool,
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
        8 => (any::<[bool; QUEUES]>(), 1..300_000_u64, proptest::option::weighted(0.2, 1..300_000_u64))
            .prop_map(|(to, ttl, expiry)| Step::Publish { to, ttl, expiry }),
        3 => (0..QUEUES, 1..6_usize, proptest::option::of(0..3_u8), any::<bool>())
            .prop_map(|(queue, max, key, confirm)| Step::Take { queue, max, key, confirm }),
        5 => (proptest::collection::vec((any::<u16>(), proptest::option::of(1..200_000_u64)), 1..5), any::<bool>())
            .prop_map(|(items, dry_run)| Step::Act { items, dry_run }),
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
    /// The rules before the step.
    before: Rules,
    /// Whether the history is.
    short: bool,
    start: i64,
    /// The number of each event by its id.
    serials: BTreeMap<String, u64>,
    /// The id of each notification, as they are in the rules.
    ids: Vec<LedgerId>,
}

impl Pair {
    async fn new(short: bool) -> Self {
        let mut subject = Subject::new();
        let faults = Switches::new();
        subject.faults = Some(faults.clone());
        subject.settings.duplicate_window = Duration::from_secs(1);
        if short {
            subject.settings.history = Duration::from_mins(5);
            subject.settings.history_max = 2_000;
        }
        let store = subject.open();
        let queues = [queue(&*store, "q0").await, queue(&*store, "q1").await, queue(&*store, "q2").await];
        let start = subject.clock_now().as_millis();
        let (rules, serials, ids) = (Rules::default(), BTreeMap::new(), Vec::new());
        Self { subject, faults, store, queues, before: rules.clone(), rules, short, start, serials, ids }
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
                self.faults.fail_after(operations.into());
                let asked = *asked;
                let failed = self.ask(asked.clone()).await.is_err();
                self.faults.mend();
                recovered(&*self.store).await;
                if failed {
                    self.resolve(asked).await;
                }
            }
            asked => self.ask(asked).await.unwrap(),
        }
    }

    /// What was answered with an error is there whole or not at all. An event that is sent again is known if it is.
    async fn resolve(&mut self, asked: Step) {
        if let Step::Publish { .. } = asked {
            self.rules = self.before.clone();
            return self.ask(asked).await.unwrap();
        }
        if let Step::Take { queue, max, key, .. } = asked {
            // Nobody has its page, so nobody has said that it arrived.
            self.rules = self.before.clone();
            self.rules.take(queue, max, key, "answer-unconfirmed");
        }
        self.rules.pass();
        if !self.agrees().await {
            self.rules = self.before.clone();
        }
    }

    /// Whether the store and the rules agree. Sums do not tell what was cancelled from what was put back instead.
    async fn agrees(&self) -> bool {
        let looked = self.store.notifications(Look { limit: 1000, ..Look::default() }).await.unwrap();
        let agree = looked.notifications.iter().all(|view| {
            let place = self.ids.iter().position(|id| *id == view.id).unwrap();
            let note = &self.rules.notes[place];
            (view.state, view.round as usize) == (self.rules.state(note), note.rounds.len() + 1)
        });
        agree && self.figures() == Self::expected(&self.rules)
    }

    /// What can fail, in the store and by the rules.
    async fn ask(&mut self, step: Step) -> Result<(), ()> {
        match step {
            Step::Publish { to, ttl, expiry } => self.publish(to, ttl, expiry).await,
            Step::Take { queue, max, key, confirm } => {
                let reason = if confirm { "polled" } else { "answer-unconfirmed" };
                let expected = self.rules.take(queue, max, key, reason);
                let name = key.map(|k| k.to_string());
                let page = ok(self.store.take(take(self.queues[queue], max, name.as_deref())).await)?;
                assert_eq!(self.serials_of(&page.notifications), expected);
                if let (true, false, Some(id)) = (confirm, page.repeated, page.id) {
                    self.store.confirm(id);
                }
                Ok(())
            }
            Step::Act { items, dry_run } => self.act(&items, dry_run).await,
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

    async fn publish(&mut self, to: [bool; QUEUES], ttl: u64, expiry: Option<u64>) -> Result<(), ()> {
        let targets: Vec<_> = (0..QUEUES).filter(|queue| to[*queue]).collect();
        let mut numbers: Vec<_> = targets.iter().map(|queue| self.queues[*queue]).collect();
        numbers.sort();
        self.rules.publish(to, ttl.cast_signed(), expiry.map(u64::cast_signed));
        let id = self.rules.serial.to_string();
        let expiry = expiry.map(|expiry| self.subject.clock_now().plus(Duration::from_millis(expiry)));
        let event = event_for(EventDraft { expiry, ..draft(Some(&id), "301") }, &numbers, Duration::from_millis(ttl));
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

    async fn act(&mut self, items: &[(u16, Option<u64>)], dry_run: bool) -> Result<(), ()> {
        let mut asked: Vec<(usize, Option<i64>)> = Vec::new();
        for (pick, reopen) in items.iter().filter(|_| !self.ids.is_empty()) {
            let place = usize::from(*pick) % self.ids.len();
            if asked.iter().all(|(other, _)| *other != place) {
                asked.push((place, reopen.map(u64::cast_signed)));
            }
        }
        let action = |reopen: Option<i64>| match reopen {
            None => Action::Cancel,
            Some(millis) => Action::Reopen { ttl: Duration::from_millis(millis.cast_unsigned()) },
        };
        let items = asked.iter().map(|(place, reopen)| (self.ids[*place], action(*reopen))).collect();
        self.rules.pass();
        let mut rules = self.rules.clone();
        let expected: Vec<_> = asked.iter().map(|(place, reopen)| rules.act(*place, *reopen)).collect();
        if !dry_run {
            self.rules = rules.clone();
        }
        let answers = ok(self.store.act(Act { items, by: "me".to_owned(), dry_run }).await)?;
        for (((place, _), expected), answer) in asked.iter().zip(expected).zip(answers) {
            if self.short && matches!(answer, Err(NotDone::BodyGone | NotDone::NotFound)) {
                // The history has passed; then nothing is done.
                let before = self.before.notes[*place].clone();
                assert!(matches!(before.stand, Stand::Ended { .. }));
                self.rules.notes[*place] = before;
            } else {
                assert_eq!(answer, expected, "{:?}", self.before.notes[*place]);
            }
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
        // What was said of pages goes along with a transaction.
        append(&*self.store, vec![event_for(draft(None, "301"), &[], HOUR)]).await.unwrap();
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

    /// What the store lists and tells is what the rules say.
    async fn look(&mut self, limit: usize) {
        self.rules.pass();
        let mut listed = Vec::new();
        let mut look = Look { limit, ..Look::default() };
        loop {
            let looked = self.store.notifications(look.clone()).await.unwrap();
            assert!(looked.notifications.len() <= limit);
            listed.extend(looked.notifications);
            look.cursor = looked.cursor;
            if look.cursor.is_none() {
                break;
            }
        }
        let places: Vec<_> = listed.iter().map(|view| self.ids.iter().position(|id| *id == view.id).unwrap()).collect();
        for (view, place) in listed.iter().zip(&places) {
            self.compare(view, &self.rules.notes[*place]);
        }
        let serial = |place: &usize| self.rules.notes[*place].serial;
        assert!(places.is_sorted_by_key(serial));
        let is_listed = |place: &usize| places.contains(place);
        let missing: Vec<_> = (0..self.ids.len()).filter(|place| !is_listed(place)).collect();
        let may_miss = |place: &usize| self.short && matches!(self.rules.notes[*place].stand, Stand::Ended { .. });
        assert!(missing.iter().all(may_miss), "{missing:?}");
        for place in places {
            let story = self.store.story(self.ids[place]).await.unwrap().unwrap();
            self.compare(&story.view, &self.rules.notes[place]);
            let told: Vec<_> = story.rounds.into_iter().map(|round| (self.millis(round.at), round.before)).collect();
            let rounds = self.rules.notes[place].rounds.iter();
            let rounds: Vec<_> = rounds.map(|(at, state, reason)| (*at, (*state, Some(reason.clone())))).collect();
            assert_eq!(told, rounds);
        }
    }

    fn compare(&self, view: &NotificationView, note: &Note) {
        let (reason, ended, handouts, until) = match &note.stand {
            Stand::Ended { reason, at, .. } => (Some(reason.clone()), Some(*at), view.handouts, None),
            Stand::Open { handouts, lease } => {
                let held = lease.is_none() && self.rules.held[note.queue];
                (held.then(|| "paused".to_owned()), None, *handouts, lease.map(|(until, _)| until))
            }
        };
        assert_eq!(view.state, self.rules.state(note));
        assert_eq!((&view.reason, view.ended.map(|at| self.millis(at))), (&reason, ended), "{note:?}");
        assert_eq!((view.handouts, view.leased_until.map(|at| self.millis(at))), (handouts, until));
        assert_eq!((self.millis(view.deadline), view.round as usize), (note.deadline, note.rounds.len() + 1));
        assert_eq!(view.subscription, Some(format!("q{}", note.home).as_str().into()));
    }

    fn millis(&self, at: Timestamp) -> i64 {
        at.as_millis() - self.start
    }

    /// Closes the store, and checks that its file says the same.
    async fn end(mut self) {
        self.faults.mend();
        recovered(&*self.store).await;
        self.check();
        self.look(7).await;
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
    fn a_notification_s_course_is_that_of_the_rules(steps in steps(), short in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new(short).await;
            for (number, step) in steps.into_iter().enumerate() {
                pair.rules.pass();
                pair.before = pair.rules.clone();
                pair.apply(step).await;
                pair.check();
                if number % 4 == 0 {
                    pair.look(1000).await;
                }
            }
            pair.end().await;
        });
    }
}
