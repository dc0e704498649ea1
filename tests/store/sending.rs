//! Random claims, settlements and all that comes between against the rules in lists: in memory, in the file and after each
//! restart the sums are the same, and nothing is lost or stuck.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use tidings::base::clock::Timestamp;
use tidings::model::id::{EndpointNumber, LedgerId};
use tidings::model::notification::State;
use tidings::model::subscription::HoldReason;
use tidings::model::target::{Ordering, Target};
use tidings::store::redb::verify;
use tidings::store::{
    Act, Action, Claim, EndpointHold, Settle, Settlement, Standing, Store, StoreError, SubscriptionChange,
};

use super::faults::{Switches, recovered};
use super::sending_rules::{HOOKS, Rules, Stand};
use super::sent::{sent_draft, sent_event, settlement, webhook_target};
use super::subject::*;

#[derive(Clone, Debug)]
enum Verdict {
    Delivered,
    Failed,
    /// In so long, and whether it counts.
    Retry(u64, bool),
}

/// How an endpoint stands from then on.
#[derive(Clone, Copy, Debug)]
enum Stands {
    Shut,
    Recovered,
    Up,
}

#[derive(Clone, Debug)]
enum Step {
    Publish {
        to: [bool; HOOKS],
        ttl: u64,
    },
    Claim {
        hook: usize,
        strict: bool,
        probe: bool,
        max: usize,
    },
    /// Each with one verdict or two at once; `keep`: who sends it says so again later.
    Settle {
        pick: u16,
        verdicts: Vec<Verdict>,
        stands: Option<Stands>,
        keep: bool,
    },
    PutBack {
        pick: u16,
        keep: bool,
    },
    /// Cancels, or reopens for so long.
    Act(Vec<(u16, Option<u64>)>),
    Stand(usize, Stands),
    Pause(usize, bool),
    Advance(u64),
    Sweep,
    Reopen,
    Kill,
    Renew(usize),
    /// The subscription is declared anew: its endpoint stays.
    Update(usize),
    /// The disk fails after so many operations below, while this is settled.
    Fail {
        operations: u8,
        pick: u16,
        verdict: Verdict,
        stands: Option<Stands>,
    },
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Delivered),
        1 => Just(Verdict::Failed),
        4 => (0..120_000_u64, any::<bool>()).prop_map(|(pause, counts)| Verdict::Retry(pause, counts)),
    ]
}

fn stands() -> impl Strategy<Value = Stands> {
    prop_oneof![3 => Just(Stands::Shut), 4 => Just(Stands::Recovered), 1 => Just(Stands::Up)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some_stands = || proptest::option::weighted(0.15, stands());
    let verdicts = || prop_oneof![4 => verdict().prop_map(|v| vec![v]), 1 => proptest::collection::vec(verdict(), 2)];
    let items = proptest::collection::vec((any::<u16>(), proptest::option::of(1..200_000_u64)), 1..5);
    let step = prop_oneof![
        16 => (any::<[bool; HOOKS]>(), 1..300_000_u64).prop_map(|(to, ttl)| Step::Publish { to, ttl }),
        20 => (0..HOOKS, any::<bool>(), proptest::bool::weighted(0.2), 1..4_usize)
            .prop_map(|(hook, strict, probe, max)| Step::Claim { hook, strict, probe, max }),
        24 => (any::<u16>(), verdicts(), some_stands(), proptest::bool::weighted(0.1))
            .prop_map(|(pick, verdicts, stands, keep)| Step::Settle { pick, verdicts, stands, keep }),
        6 => (any::<u16>(), proptest::bool::weighted(0.1)).prop_map(|(pick, keep)| Step::PutBack { pick, keep }),
        8 => items.prop_map(Step::Act),
        4 => (0..HOOKS, stands()).prop_map(|(hook, stands)| Step::Stand(hook, stands)),
        4 => (0..HOOKS, proptest::bool::weighted(0.4)).prop_map(|(hook, paused)| Step::Pause(hook, paused)),
        14 => (1..60_000_u64).prop_map(Step::Advance),
        4 => Just(Step::Sweep),
        4 => Just(Step::Reopen),
        2 => Just(Step::Kill),
        2 => (0..HOOKS).prop_map(Step::Renew),
        2 => (0..HOOKS).prop_map(Step::Update),
        1 => (0..10_u8, any::<u16>(), verdict(), some_stands())
            .prop_map(|(operations, pick, verdict, stands)| Step::Fail { operations, pick, verdict, stands }),
    ];
    proptest::collection::vec(step, 1..100)
}

fn name_of(hook: usize) -> String {
    format!("hook{hook}")
}

/// A store beside the rules.
struct Pair {
    subject: Subject,
    faults: Arc<Switches>,
    store: Arc<dyn Store>,
    hooks: [EndpointNumber; HOOKS],
    rules: Rules,
    start: i64,
    serial: u64,
    /// Endpoint and id of each notification, as they are in the rules.
    ids: Vec<(EndpointNumber, LedgerId)>,
    /// The places of what somebody sends, or has been sending.
    senders: Vec<usize>,
}

impl Pair {
    async fn new() -> Self {
        let mut subject = Subject::new();
        let faults = Switches::new();
        subject.faults = Some(faults.clone());
        subject.settings.duplicate_window = Duration::from_secs(1);
        let store = subject.open();
        let mut hooks = [EndpointNumber(0); HOOKS];
        for (index, hook) in hooks.iter_mut().enumerate() {
            *hook = super::sent::webhook(&*store, &name_of(index)).await;
        }
        let start = subject.clock_now().as_millis();
        let (rules, ids, senders) = (Rules::default(), Vec::new(), Vec::new());
        Self { subject, faults, store, hooks, rules, start, serial: 0, ids, senders }
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Publish { to, ttl } => self.publish(to, ttl).await,
            Step::Claim { hook, strict, probe, max } => {
                let ordering = if strict { Ordering::Strict } else { Ordering::Relaxed };
                self.claim(hook, ordering, probe, max).await;
            }
            Step::Settle { pick, verdicts, stands, keep } => {
                if let Some(place) = self.sender(pick, keep) {
                    self.settle(place, &verdicts, stands).await;
                }
            }
            Step::PutBack { pick, keep } => {
                if let Some(place) = self.sender(pick, keep) {
                    self.store.put_back(self.ids[place].0, &[self.ids[place].1]);
                    self.rules.put_back(place);
                }
            }
            Step::Act(items) => self.act(&items).await,
            Step::Stand(hook, stands) => {
                let standing = self.standing(hook, stands);
                self.store.stand(self.hooks[hook], standing.clone()).await.unwrap();
                self.stand(hook, Some(standing));
            }
            Step::Pause(hook, paused) => {
                let change = if paused { SubscriptionChange::Hold } else { SubscriptionChange::Release };
                self.change(vec![change(name_of(hook).as_str().into(), HoldReason::Paused)]).await;
                self.rules.hooks[hook].paused = paused;
            }
            Step::Advance(millis) => {
                self.subject.clock.advance(Duration::from_millis(millis));
                self.rules.now += millis.cast_signed();
            }
            Step::Sweep => while self.store.sweep().await.unwrap().more {},
            Step::Reopen => self.reopen().await,
            Step::Kill => self.kill().await,
            Step::Renew(hook) => {
                self.change(vec![SubscriptionChange::Remove(name_of(hook).as_str().into())]).await;
                self.hooks[hook] = super::sent::webhook(&*self.store, &name_of(hook)).await;
                self.rules.renew(hook);
            }
            Step::Update(hook) => {
                let target = Target::Webhook(webhook_target("https://10.0.0.9/", Ordering::Strict));
                self.change(vec![SubscriptionChange::Update(sent_draft(&name_of(hook), vec![target]))]).await;
            }
            Step::Fail { operations, pick, verdict, stands } => {
                if let Some(place) = self.sender(pick, false) {
                    self.fail(operations, place, &verdict, stands).await;
                }
            }
        }
    }

    async fn change(&self, changes: Vec<SubscriptionChange>) {
        self.store.change_subscriptions(changes).await.unwrap();
    }

    /// The place of what one of those sends who have claimed something.
    fn sender(&mut self, pick: u16, keep: bool) -> Option<usize> {
        let index = usize::from(pick).checked_rem(self.senders.len())?;
        Some(if keep { self.senders[index] } else { self.senders.remove(index) })
    }

    async fn publish(&mut self, to: [bool; HOOKS], ttl: u64) {
        for hook in (0..HOOKS).filter(|hook| to[*hook]) {
            self.serial += 1;
            let name = self.serial.to_string();
            let event = sent_event(&name, &[self.hooks[hook]], Duration::from_millis(ttl));
            let receipt = append(&*self.store, vec![event]).await.unwrap().remove(0);
            let parts = tidings::model::id::LedgerIdParts { target: 1, ..receipt.id.parts() };
            self.ids.push((self.hooks[hook], LedgerId::new(parts)));
            self.rules.publish(&name, hook, ttl.cast_signed());
        }
    }

    async fn claim(&mut self, hook: usize, ordering: Ordering, probe: bool, max: usize) {
        self.rules.pass();
        let expected = self.rules.claimable(hook, ordering, probe, max);
        let claimed = self.store.claim(Claim { endpoint: self.hooks[hook], ordering, max, probe }).await.unwrap();
        let ids: Vec<_> = claimed.iter().map(|claimed| claimed.id).collect();
        assert_eq!(ids, expected.iter().map(|place| self.ids[*place].1).collect::<Vec<_>>());
        for (claimed, place) in claimed.iter().zip(&expected) {
            let note = &self.rules.notes[*place];
            assert_eq!((claimed.tried, self.millis(claimed.deadline)), (note.tried, note.deadline));
            assert!(claimed.attempts <= note.attempts);
            assert_eq!(claimed.event.draft.id.as_ref(), Some(&note.name));
        }
        self.rules.claim(&expected);
        self.senders.extend(expected);
    }

    fn settlements(&self, place: usize, verdicts: &[Verdict], stands: Option<Stands>) -> Vec<Settlement> {
        let (endpoint, id) = self.ids[place];
        let hook = self.rules.notes[place].hook;
        let standing = stands.filter(|_| hook < HOOKS).map(|stands| self.standing(hook, stands));
        let settled = |verdict: &Verdict| match verdict {
            Verdict::Delivered => Settle::Delivered,
            Verdict::Failed => super::sent::failed("no"),
            Verdict::Retry(pause, counts) => {
                Settle::Retry { due: self.store.now().plus(Duration::from_millis(*pause)), counts: *counts }
            }
        };
        let one = |verdict| settlement(&*self.store, endpoint, id, settled(verdict));
        verdicts.iter().map(|verdict| Settlement { standing: standing.clone(), ..one(verdict) }).collect()
    }

    async fn settle(&mut self, place: usize, verdicts: &[Verdict], stands: Option<Stands>) {
        let settlements = self.settlements(place, verdicts, stands);
        let settling = settlements.iter().map(|settlement| self.store.settle(settlement.clone()));
        let mut settling: Vec<_> = settling.collect();
        // All are handed over before one is answered, so that they may share a commit.
        let mut context = Context::from_waker(Waker::noop());
        let begun: Vec<_> = settling.iter_mut().map(|settling| settling.as_mut().poll(&mut context)).collect();
        let mut settled = Vec::new();
        for (settling, begun) in settling.into_iter().zip(begun) {
            settled.push(match begun {
                Poll::Ready(settled) => settled.unwrap(),
                Poll::Pending => settling.await.unwrap(),
            });
        }
        let hook = self.rules.notes[place].hook;
        for (settlement, settled) in settlements.into_iter().zip(settled) {
            let expected = self.rules.settle(place, &settlement.verdict, self.start);
            assert_eq!(settled, expected, "{:?}", self.rules.notes[place]);
            self.stand(hook, settlement.standing);
        }
    }

    /// What an engine would say of how the endpoint stands.
    fn standing(&self, hook: usize, stands: Stands) -> Standing {
        let before = self.store.standing(self.hooks[hook]);
        let hold = EndpointHold { reason: HoldReason::CircuitOpen, since: self.store.now(), probe_at: None, probes: 0 };
        match stands {
            Stands::Shut => Standing { hold: Some(hold), failures: before.failures + 1, ..before },
            Stands::Recovered => Standing { hold: None, recovered: Some(self.store.now()), ..before },
            Stands::Up => Standing { hold: None, ..before },
        }
    }

    fn stand(&mut self, hook: usize, standing: Option<Standing>) {
        if let Some(standing) = standing.filter(|_| hook < HOOKS) {
            assert_eq!(self.store.standing(self.hooks[hook]), standing);
            self.rules.stand(hook, standing.hold.is_some(), standing.recovered.map(|at| self.millis(at)));
        }
    }

    async fn act(&mut self, items: &[(u16, Option<u64>)]) {
        let mut asked: Vec<(usize, Option<u64>)> = Vec::new();
        for (pick, reopen) in items.iter().filter(|_| !self.ids.is_empty()) {
            let place = usize::from(*pick) % self.ids.len();
            if asked.iter().all(|(other, _)| *other != place) {
                asked.push((place, *reopen));
            }
        }
        let action = |reopen: Option<u64>| {
            reopen.map_or(Action::Cancel, |millis| Action::Reopen { ttl: Duration::from_millis(millis) })
        };
        let items = asked.iter().map(|(place, reopen)| (self.ids[*place].1, action(*reopen))).collect();
        let answers = self.store.act(Act { items, by: "me".to_owned(), dry_run: false }).await.unwrap();
        for ((place, reopen), answer) in asked.into_iter().zip(answers) {
            let expected = self.rules.act(place, reopen.map(u64::cast_signed));
            assert_eq!(answer, expected, "{:?}", self.rules.notes[place]);
        }
    }

    /// The disk fails under a settlement: it is stored whole or not at all, and every claim is forgotten.
    async fn fail(&mut self, operations: u8, place: usize, verdict: &Verdict, stands: Option<Stands>) {
        let settlement = self.settlements(place, std::slice::from_ref(verdict), stands).remove(0);
        let (before, hook) = (self.rules.clone(), self.rules.notes[place].hook);
        self.faults.fail_after(operations.into());
        let settled = self.store.settle(settlement.clone()).await;
        self.faults.mend();
        recovered(&*self.store).await;
        let expected = self.rules.settle(place, &settlement.verdict, self.start);
        if let Some(standing) = settlement.standing.filter(|_| hook < HOOKS) {
            self.rules.stand(hook, standing.hold.is_some(), standing.recovered.map(|at| self.millis(at)));
        }
        match settled {
            Ok(settled) => assert_eq!(settled, expected),
            Err(StoreError::Unavailable { .. }) => {
                let told = super::sent::story(&*self.store, self.ids[place].1).await;
                let stored = told.push.attempts.len() as u64 > u64::from(before.notes[place].attempts.min(64));
                if !stored {
                    self.rules = before;
                }
            }
            Err(other) => panic!("{other}"),
        }
        // A commit may have failed after it, too: then claims are forgotten already.
        self.store.close().await;
        self.store = self.subject.open();
        self.rules.forget_claims();
    }

    /// Closes the store, checks its file, and opens it again.
    async fn reopen(&mut self) {
        self.check();
        // The file's sums are those of its last transaction.
        self.store.keep_secret("any", Vec::new()).await.unwrap();
        self.store.close().await;
        self.rules.forget_claims();
        let report = verify(&self.subject.path(), &(Arc::new(|_| {}) as _)).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
        let sums = State::ALL.map(|state| report.sums.webhook.get(state)).to_vec();
        assert_eq!(sums, self.rules.count(None));
        self.store = self.subject.open();
        self.look().await;
    }

    /// Kills the process: what is on disk while the file is open is all that is left.
    async fn kill(&mut self) {
        let copy = self.subject.dir.path().join("copy");
        std::fs::copy(self.subject.path(), &copy).unwrap();
        self.store.close().await;
        std::fs::rename(copy, self.subject.path()).unwrap();
        self.store = self.subject.open();
        self.rules.forget_claims();
    }

    fn check(&mut self) {
        self.rules.pass();
        assert_conserved(&*self.store);
        let all = self.store.figures().sums.webhook;
        assert_eq!(State::ALL.map(|state| all.get(state)).to_vec(), self.rules.count(None));
        let sums = self.store.subscription_sums();
        for hook in 0..HOOKS {
            let own = &sums.iter().find(|one| one.id.as_str() == name_of(hook)).unwrap().sums;
            let expected = self.rules.count(Some(hook));
            assert_eq!(State::ALL.map(|state| own.get(state)).to_vec(), expected);
            let status = self.store.queue(self.hooks[hook]);
            assert_eq!([status.waiting, status.leased, status.held], expected[..3]);
            for (ordering, probe) in
                [Ordering::Relaxed, Ordering::Strict].into_iter().flat_map(|o| [(o, false), (o, true)])
            {
                let store = &*self.store;
                let number = self.hooks[hook];
                let mut due = if probe { store.probe_due(number, ordering) } else { store.due(number, ordering) };
                let due = due.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                let expected = self.rules.claimable(hook, ordering, probe, 1);
                assert_eq!(due.is_ready(), !expected.is_empty(), "{ordering:?}, probe: {probe}");
            }
        }
    }

    /// What the store tells of each is what the rules say.
    async fn look(&mut self) {
        self.rules.pass();
        for (place, (_, id)) in self.ids.iter().enumerate() {
            let (note, told) = (&self.rules.notes[place], super::sent::story(&*self.store, *id).await);
            assert_eq!((told.view.state, told.view.round), (self.rules.state(note), note.round), "{note:?}");
            assert_eq!(told.push.in_flight, note.stand == Stand::InFlight);
            assert_eq!(
                (told.push.tried, told.push.due.map(|at| self.millis(at))),
                (note.tried, self.rules.told_due(note))
            );
            let last = told.push.attempts.last().map_or(0, |kept| kept.number);
            assert_eq!((last, told.push.attempts.len() as u64), (note.attempts, u64::from(note.attempts.min(64))));
            if let Stand::Ended { reason, at, .. } = &note.stand {
                let expected = (Some(reason.as_str()), Some(*at));
                assert_eq!(
                    (told.view.reason.as_deref(), told.view.ended.map(|at| self.millis(at))),
                    expected,
                    "{note:?}"
                );
            }
        }
    }

    fn millis(&self, at: Timestamp) -> i64 {
        at.as_millis() - self.start
    }

    /// Whatever has happened, all that has not ended arrives once there is nothing in its way.
    async fn end(mut self) {
        self.reopen().await;
        for hook in 0..HOOKS {
            self.apply(Step::Pause(hook, false)).await;
            self.apply(Step::Stand(hook, Stands::Up)).await;
        }
        // Nothing was put off for longer.
        for step in [0, 1] {
            for hook in 0..HOOKS {
                let left = usize::MAX;
                let places = self.rules.claimable(hook, Ordering::Relaxed, false, left);
                self.claim(hook, Ordering::Relaxed, false, left).await;
                for place in places {
                    self.settle(place, &[Verdict::Delivered], None).await;
                }
            }
            if step == 0 {
                self.apply(Step::Advance(120_000)).await;
                self.rules.pass();
            }
        }
        self.check();
        assert!(self.rules.notes.iter().all(|note| matches!(note.stand, Stand::Ended { .. })));
        self.apply(Step::Sweep).await;
        self.reopen().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_sent_goes_by_the_rules(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for (number, step) in steps.into_iter().enumerate() {
                pair.apply(step).await;
                pair.check();
                if number % 4 == 0 {
                    pair.look().await;
                }
            }
            pair.end().await;
        });
    }
}
