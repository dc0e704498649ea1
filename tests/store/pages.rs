//! Pages on their way: keys that are used again, pages that nobody reads, and the marks of those that were read.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidings::model::notification::State;
use tidings::store::{Page, Store, StoreError};

use super::subject::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until `what` is so.
async fn until(what: impl Fn() -> bool) {
    let so = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
}

fn consumed(store: &dyn Store) -> u64 {
    store.figures().sums.poll.get(State::Consumed)
}

#[tokio::test]
async fn a_key_that_is_used_again_after_its_time_stands_for_the_new_page() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for n in 0..3 {
        publish(&*store, Some(&n.to_string()), &[queue]).await;
    }
    let page = || async { ids(&store.take(take(queue, 1, Some("k"))).await.unwrap()) };
    assert_eq!(page().await, ["0"]);
    subject.clock.advance(Duration::from_mins(10));
    assert_eq!(page().await, ["1"]);
    assert_eq!(page().await, ["1"], "its own ten minutes have only begun");
    publish(&*store, None, &[]).await;
    assert_eq!(page().await, ["1"]);
    assert_conserved(&*store);
}

/// A take on a runtime whose one blocking thread is busy until the returned sender is dropped.
async fn take_that_is_not_read(
    store: &Arc<dyn Store>,
    queue: tidings::model::id::EndpointNumber,
    key: Option<&str>,
) -> (tokio::task::JoinHandle<Result<Page, StoreError>>, std::sync::mpsc::Sender<()>) {
    let (release, held) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || held.recv());
    let (before, store_of_take, take) = (consumed(&**store), store.clone(), take(queue, 10, key));
    let taking = tokio::spawn(async move { store_of_take.take(take).await });
    until(|| consumed(&**store) > before).await;
    (taking, release)
}

#[test]
fn a_page_is_read_whatever_is_swept_meanwhile() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut subject = Subject::new();
        (subject.settings.history, subject.settings.history_max) = (Duration::ZERO, 0);
        let store = subject.open();
        let (queue, other) = (queue(&*store, "s").await, queue(&*store, "slow").await);
        for (key, slow) in [(None, false), (Some("k"), false), (None, true)] {
            if slow {
                publish(&*store, Some("old"), &[other]).await;
            }
            publish(&*store, Some("e"), &[queue]).await;
            subject.clock.advance(25 * HOUR);
            publish(&*store, Some("f"), &[queue]).await;
            let (taking, release) = take_that_is_not_read(&store, queue, key).await;
            subject.clock.advance(Duration::from_mins(11));
            while store.sweep().await.unwrap().more {}
            drop(release);
            assert_eq!(ids(&taking.await.unwrap().unwrap()), ["f"]);
        }
        subject.clock.advance(Duration::from_mins(11));
        while store.sweep().await.unwrap().more {}
        assert_eq!(store.figures().body_bytes, 0, "once read it goes");
        store.close().await;
    });
}

#[tokio::test]
async fn a_page_whose_caller_leaves_at_any_moment_is_unconfirmed() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for n in 1..=50 {
        publish(&*store, None, &[queue]).await;
        {
            let mut taking = store.take(take(queue, 10, None));
            let mut context = Context::from_waker(Waker::noop());
            match taking.as_mut().poll(&mut context) {
                Poll::Pending => until(|| consumed(&*store) == n).await,
                // On a busy machine the writer can be quicker than this thread: then the caller leaves with the page.
                Poll::Ready(page) => store.unconfirmed(page.unwrap().id.unwrap(), 1),
            }
        }
        until(|| store.figures().answer_unconfirmed == n).await;
    }
}

#[tokio::test]
async fn pages_without_their_mark_count_as_unconfirmed_after_a_crash() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..10 {
        publish(&*store, None, &[queue]).await;
    }
    let confirmed = store.take(take(queue, 3, None)).await.unwrap().id.unwrap();
    store.confirm(confirmed);
    store.confirm(confirmed);
    taken(&*store, queue, 2).await;
    store.unconfirmed(store.take(take(queue, 1, None)).await.unwrap().id.unwrap(), 1);
    assert_eq!(store.figures().answer_unconfirmed, 1, "the others may be on their way");
    let store = subject.reopen(store).await;
    assert_eq!(store.figures().answer_unconfirmed, 3);
    store.close().await;
    let report = tidings::store::redb::verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap();
    assert_eq!((report.answer_unconfirmed, report.findings), (3, Vec::new()));
}

#[tokio::test]
async fn the_time_of_a_poll_is_that_of_the_poll_and_goes_with_its_queue() {
    const POLLED: redb::TableDefinition<'_, u32, i64> = redb::TableDefinition::new("polled");
    let subject = Subject::new();
    let store = subject.open();
    let (queue, gone) = (queue(&*store, "s").await, queue(&*store, "gone").await);
    let polled = subject.clock_now();
    store.polled(queue);
    subject.clock.advance(HOUR);
    store.polled(gone);
    let remove = tidings::store::SubscriptionChange::Remove("gone".into());
    store.change_subscriptions(vec![remove]).await.unwrap();
    store.polled(gone);
    while store.sweep().await.unwrap().more {}
    let store = subject.reopen(store).await;
    assert_eq!(store.queue(queue).last_polled, Some(polled));
    store.close().await;
    let db = redb::Database::open(subject.path()).unwrap();
    let read = redb::ReadableDatabase::begin_read(&db).unwrap();
    let rows = redb::ReadableTableMetadata::len(&read.open_table(POLLED).unwrap()).unwrap();
    assert_eq!(rows, 1, "nothing is left of a queue that is gone");
}
