//! Faults below the store, beside those of single operations in `redb`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tidings::base::clock::{BoxFuture, Clock, ManualClock, Timestamp};
use tidings::model::id::EndpointNumber;
use tidings::model::notification::State;
use tidings::store::redb::{Faults, OpenError, Options, RedbStore, verify};
use tidings::store::{
    Append, AppendError, Claimed, Settle, Settled, Settlement, Standing, Store, StoreError, SubscriptionChange,
};

use super::sent::{claim, held, names, send, settle, settlement, story, verified, webhook};
use super::subject::*;

/// Fails or refuses to fill, as told.
#[derive(Debug)]
pub(super) struct Switches {
    /// Operations until every one fails; below zero: never.
    left: AtomicI64,
    full: AtomicBool,
}

impl Switches {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(-1), full: AtomicBool::new(false) })
    }

    /// Lets so many writes, flushes and extensions pass and then fails every one until it is mended.
    pub(super) fn fail_after(&self, operations: i64) {
        self.left.store(operations, Ordering::SeqCst);
    }

    pub(super) fn mend(&self) {
        self.left.store(-1, Ordering::SeqCst);
    }

    fn step(&self) -> io::Result<()> {
        match self.left.load(Ordering::SeqCst) {
            ..0 => return Ok(()),
            0 => return Err(io::Error::other("injected")),
            _ => self.left.fetch_sub(1, Ordering::SeqCst),
        };
        Ok(())
    }
}

impl Faults for Switches {
    fn write(&self, _: u64, _: usize) -> io::Result<()> {
        self.step()
    }
    fn flush(&self) -> io::Result<()> {
        self.step()
    }
    fn extend(&self, _: u64) -> io::Result<()> {
        self.step()
    }
    fn fill(&self, _: u64, _: u64) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn faulty() -> (Subject, Arc<Switches>) {
    let faults = Switches::new();
    let mut subject = Subject::new();
    subject.faults = Some(faults.clone());
    (subject, faults)
}

/// Until the store can commit again: it tries the file twice a second.
pub(super) async fn recovered(store: &dyn Store) {
    let well = async {
        while store.trouble().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), well).await.unwrap();
}

#[tokio::test]
async fn what_was_matched_before_a_fault_is_matched_again() {
    for operations in 0..8 {
        let (subject, faults) = faulty();
        let store = subject.open();
        let (a, b) = (queue(&*store, "a").await, queue(&*store, "b").await);
        let store = subject.reopen(store).await;
        let matched_against = store.subscriptions().version();
        faults.fail_after(operations);
        let replace = vec![SubscriptionChange::Remove("a".into()), SubscriptionChange::Create(subscription_draft("c"))];
        if store.change_subscriptions(replace).await.is_ok() {
            assert!(append(&*store, vec![event_for(draft(None, "301"), &[b], HOUR)]).await.is_err());
        }
        faults.mend();
        recovered(&*store).await;
        let append = Append {
            matched_against,
            events: vec![event_for(draft(None, "301"), &[a, b], HOUR)],
            own: false,
            keep: None,
        };
        assert!(matches!(store.append(append).await, Err(AppendError::Stale)), "after {operations}");
        store.close().await;
        assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_disk_without_room_ahead_is_no_fault() {
    let (subject, faults) = faulty();
    faults.full.store(true, Ordering::SeqCst);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for round in 0..30 {
        faults.full.store(round % 3 != 0, Ordering::SeqCst);
        let batch = (0..2000).map(|_| event_for(draft(None, "301"), &[queue], HOUR)).collect();
        append(&*store, batch).await.unwrap();
    }
    store.close().await;
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
    let store = subject.open();
    assert_eq!(store.queue(queue).waiting, 60_000);
}

/// A clock that panics once, where the writer asks it.
#[derive(Clone)]
struct Panics {
    clock: ManualClock,
    now: Arc<AtomicBool>,
}

impl Clock for Panics {
    fn now(&self) -> Timestamp {
        let is_writer = std::thread::current().name() == Some("ledger-writer");
        assert!(!(is_writer && self.now.swap(false, Ordering::SeqCst)), "injected");
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn synchronised(&self) -> Option<bool> {
        self.clock.synchronised()
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(deadline)
    }
}

#[tokio::test]
async fn a_writer_that_panics_says_so_and_goes_on() {
    let subject = Subject::new();
    let clock = Panics { clock: subject.clock.clone(), now: Arc::default() };
    let store = RedbStore::open(Options { clock: Arc::new(clock.clone()), ..subject.options() }).unwrap();
    let queue = queue(&store, "s").await;
    publish(&store, Some("before"), &[queue]).await;
    assert_eq!(taken(&store, queue, 1).await, ["before"]);
    clock.now.store(true, Ordering::SeqCst);
    // Its own transaction panics, or one that stores the mark before.
    let _ = append(&store, vec![event_for(draft(Some("in doubt"), "301"), &[queue], HOUR)]).await;
    assert!(!clock.now.load(Ordering::SeqCst));
    recovered(&store).await;
    publish(&store, Some("after"), &[queue]).await;
    assert_eq!(taken(&store, queue, 10).await.last().unwrap(), "after");
    assert_conserved(&store);
    store.close().await;
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn the_file_of_a_later_release_is_named_as_such() {
    const META: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    let subject = Subject::new();
    subject.open().close().await;
    // Another version of the record, format 300 as a varint, and whatever that release keeps behind it.
    let row = [2, 0xac, 0x02, 0xff, 0xff, 0xff];
    {
        let db = redb::Database::open(subject.path()).unwrap();
        let write = db.begin_write().unwrap();
        write.open_table(META).unwrap().insert("state", row.as_slice()).unwrap();
        write.commit().unwrap();
    }
    let refused = RedbStore::open(subject.options()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 300, known: 4, .. }), "{refused}");
    let refused = verify(&subject.path(), &(Arc::new(|_| {}) as _)).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 300, known: 4, .. }), "{refused}");
}

/// Settles all of them at once; answers what was answered.
async fn settle_at_once(
    store: &Arc<dyn Store>,
    hook: EndpointNumber,
    claimed: &[Claimed],
    verdict: &Settle,
) -> Vec<Result<Settled, StoreError>> {
    let mut settling = Vec::new();
    for claimed in claimed {
        let store = Arc::clone(store);
        let settlement = Settlement {
            standing: Some(held(&*store, None)),
            ..settlement(&*store, hook, claimed.id, verdict.clone())
        };
        settling.push(tokio::spawn(async move { store.settle(settlement).await }));
    }
    let mut answers = Vec::new();
    for settled in settling {
        answers.push(settled.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_fault_under_settlements_leads_to_another_attempt_and_loses_none() {
    for operations in 0..12 {
        let (subject, faults) = faulty();
        let store = subject.open();
        let hook = webhook(&*store, "s").await;
        for n in 0..20 {
            send(&*store, &n.to_string(), hook, HOUR).await;
        }
        // Half of them were tried before.
        let before = store.claim(claim(hook, 10)).await.unwrap();
        let due = Settle::Retry { due: store.now(), counts: true };
        for claimed in &before {
            settle(&*store, hook, claimed.id, due.clone()).await;
        }
        let claimed = store.claim(claim(hook, 20)).await.unwrap();
        assert_eq!(claimed.len(), 20);
        let verdict = if operations % 2 == 0 { Settle::Delivered } else { due };
        faults.fail_after(operations);
        let answers = settle_at_once(&store, hook, &claimed, &verdict).await;
        // The next one meets the fault, if these did not.
        let _ = append(&*store, vec![event_for(draft(None, "301"), &[], HOUR)]).await;
        faults.mend();
        recovered(&*store).await;
        store.stand(hook, Standing::default()).await.unwrap();
        assert_conserved(&*store);
        let again = names(&store.claim(claim(hook, 50)).await.unwrap());
        for (claimed, answer) in claimed.iter().zip(&answers) {
            let is_due = again.contains(claimed.event.draft.id.as_ref().unwrap());
            let told = story(&*store, claimed.id).await;
            let is_stored = u32::try_from(told.push.attempts.len()).unwrap() > claimed.attempts;
            // What was answered is there; what was not is due again, unless it turns out to be there.
            assert!(answer.is_err() || is_stored, "after {operations}");
            assert_eq!(is_due, verdict != Settle::Delivered || !is_stored, "after {operations}");
            settle(&*store, hook, claimed.id, Settle::Delivered).await;
            assert_eq!(story(&*store, claimed.id).await.view.state, State::Delivered);
        }
        assert_eq!(store.figures().sums.webhook.get(State::Delivered), 20);
        verified(&subject, store).await;
    }
}
