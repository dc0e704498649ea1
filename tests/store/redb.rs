//! What only the store on redb has: its file, faults below it, and `verify`.

use std::sync::Arc;
use std::time::Duration;

use tidings::model::notification::State;
use tidings::store::redb::{OpenError, Progress, RedbStore, verify};
use tidings::store::{AppendError, StoreError};

use super::faults::{Switches, recovered};
use super::subject::*;

fn quiet() -> Progress {
    Arc::new(|_| {})
}

#[tokio::test]
async fn a_fault_at_any_operation_is_answered_and_loses_nothing() {
    for operations in 0..14 {
        let mut subject = Subject::new();
        let faults = Switches::new();
        subject.faults = Some(faults.clone());
        let store = subject.open();
        let queue = queue(&*store, "s").await;
        publish(&*store, Some("before"), &[queue]).await;

        faults.fail_after(operations);
        let mut answered = Vec::new();
        for n in 0..6 {
            let event = event_for(draft(Some(&n.to_string()), "301"), &[queue], HOUR);
            match append(&*store, vec![event]).await {
                Ok(_) => answered.push(n.to_string()),
                Err(AppendError::Store(StoreError::Unavailable { .. })) => break,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(answered.len() < 6, "the fault came");
        assert!(store.trouble().is_some(), "readiness says so");
        assert!(store.take(take(queue, 1, None)).await.is_err());

        faults.mend();
        recovered(&*store).await;
        publish(&*store, Some("after"), &[queue]).await;
        let got = taken(&*store, queue, 100).await;
        assert_eq!((got.first().unwrap().as_str(), got.last().unwrap().as_str()), ("before", "after"));
        let between = &got[1..got.len() - 1];
        assert!(between.starts_with(&answered), "{answered:?} were answered, {between:?} came");
        assert!(between.len() <= answered.len() + 1, "at most the one in doubt came besides: {between:?}");
        assert_conserved(&*store);
        store.close().await;
        assert_eq!(verify(&subject.path(), &quiet()).unwrap().findings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn one_who_waits_over_a_fault_is_woken_after_it() {
    let mut subject = Subject::new();
    let faults = Switches::new();
    subject.faults = Some(faults.clone());
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait(queue).await }
    });
    faults.fail_after(0);
    assert!(append(&*store, vec![event_for(draft(None, "301"), &[queue], HOUR)]).await.is_err());
    faults.mend();
    recovered(&*store).await;
    publish(&*store, None, &[queue]).await;
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_file_in_use_is_not_opened_twice() {
    let subject = Subject::new();
    let store = subject.open();
    let again = RedbStore::open(subject.options());
    assert!(matches!(again, Err(OpenError::InUse { .. })));
    assert!(matches!(verify(&subject.path(), &quiet()), Err(OpenError::InUse { .. })));
    store.close().await;
    assert!(RedbStore::open(subject.options()).is_ok());
}

#[tokio::test]
async fn a_store_that_is_dropped_without_closing_is_whole() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    publish(&*store, Some("e"), &[queue]).await;
    // The file is copied while it is open: what a kill would leave behind.
    let copy = Subject::new();
    std::fs::copy(subject.path(), copy.path()).unwrap();
    let killed = copy.open();
    assert_eq!(taken(&*killed, queue, 10).await, ["e"]);
    killed.close().await;
    assert_eq!(verify(&copy.path(), &quiet()).unwrap().findings, Vec::<String>::new());
}

#[test]
fn what_is_no_data_file_is_refused_and_left_alone() {
    let subject = Subject::new();
    std::fs::write(subject.path(), b"something else entirely, and more than a header's worth of it".repeat(100))
        .unwrap();
    let before = std::fs::read(subject.path()).unwrap();
    let refused = RedbStore::open(subject.options()).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert_eq!(std::fs::read(subject.path()).unwrap(), before);
}

#[tokio::test]
async fn verify_finds_a_lost_event_and_a_wrong_sum() {
    const HEADS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("heads");
    const EVENTS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("events");
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..5 {
        publish(&*store, None, &[queue]).await;
    }
    taken(&*store, queue, 2).await;
    store.sweep().await.unwrap();
    store.close().await;
    drop(store);
    let report = verify(&subject.path(), &quiet()).unwrap();
    assert_eq!((report.findings.len(), report.accepted, report.sums.poll.get(State::Queued)), (0, 5, 3));
    assert_eq!(report.answer_unconfirmed, 2);

    let damage = |work: &dyn Fn(&redb::WriteTransaction)| {
        let db = redb::Database::open(subject.path()).unwrap();
        let write = db.begin_write().unwrap();
        work(&write);
        write.commit().unwrap();
    };
    damage(&|write| drop(write.open_table(EVENTS).unwrap().remove(4).unwrap()));
    let findings = verify(&subject.path(), &quiet()).unwrap().findings.join("; ");
    assert!(findings.contains("the event at 4 waits, but its body is gone"), "{findings}");
    damage(&|write| drop(write.open_table(HEADS).unwrap().remove(5).unwrap()));
    let findings = verify(&subject.path(), &quiet()).unwrap().findings.join("; ");
    for expected in ["from position 5 to 6 are missing", "events accepted: 4 in the rows, but 5 were noted"] {
        assert!(findings.contains(expected), "{findings}");
    }
}

#[tokio::test]
async fn the_file_of_a_queue_that_is_consumed_does_not_grow_without_bound() {
    let mut subject = Subject::new();
    (subject.settings.history, subject.settings.history_max) = (Duration::ZERO, 0);
    subject.settings.duplicate_window = Duration::from_secs(1);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let mut sizes = Vec::new();
    for _ in 0..30 {
        let batch = (0..1000).map(|_| event_for(draft(None, "301"), &[queue], HOUR)).collect();
        append(&*store, batch).await.unwrap();
        assert_eq!(taken(&*store, queue, 1000).await.len(), 1000);
        subject.clock.advance(Duration::from_mins(2));
        while store.sweep().await.unwrap().more {}
        sizes.push(std::fs::metadata(subject.path()).unwrap().len());
    }
    assert_eq!(sizes[10], sizes[29], "{sizes:?}");
    assert_eq!(store.figures().body_bytes, 0);
    assert_conserved(&*store);
}
