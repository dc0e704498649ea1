//! The rows of single notifications in the file: that they go, and that `verify` finds what is wrong with them.

use std::sync::Arc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use tidings::store::redb::verify;
use tidings::store::{KeptCondition, Lease, Settle, Store, SubscriptionChange, Suppression};

use super::sent::*;
use super::subject::*;

type Rows = TableDefinition<'static, (u32, u64), &'static [u8]>;

const OPEN: Rows = TableDefinition::new("open");
const OUTCOMES: Rows = TableDefinition::new("outcomes");
const PAGES: TableDefinition<'static, (u32, u64, u32), &[u8]> = TableDefinition::new("pages");
const ATTEMPTS: TableDefinition<'static, (u32, u64, u32), &[u8]> = TableDefinition::new("attempts");
const STANDINGS: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("standings");
const SUPPRESSED: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("suppressed");
const CONDITIONS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("conditions");

fn findings(subject: &Subject) -> String {
    verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings.join("; ")
}

/// Something that is wrong with a file.
type Damage<'a> = &'a dyn Fn(&WriteTransaction);

/// Does each damage to a copy of the file of a closed store, and looks for what is expected to be found.
fn assert_found(subject: &Subject, damages: &[(Damage<'_>, &str)]) {
    assert_eq!(findings(subject), "");
    let whole = std::fs::read(subject.path()).unwrap();
    for (damage, expected) in damages {
        std::fs::write(subject.path(), &whole).unwrap();
        {
            let db = redb::Database::open(subject.path()).unwrap();
            let write = db.begin_write().unwrap();
            damage(&write);
            write.commit().unwrap();
        }
        let findings = findings(subject);
        assert!(findings.contains(expected), "{expected}: {findings}");
    }
}

fn put(write: &WriteTransaction, table: Rows, key: (u32, u64), row: &[u8]) {
    write.open_table(table).unwrap().insert(key, row).unwrap();
}

fn copy(from: Rows, at: (u32, u64), to: Rows, key: (u32, u64)) -> impl Fn(&WriteTransaction) {
    move |write| {
        let row = write.open_table(from).unwrap().get(at).unwrap().unwrap().value().to_vec();
        put(write, to, key, &row);
    }
}

#[tokio::test]
async fn verify_finds_rows_of_single_notifications_that_contradict() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..4 {
        publish(&*store, None, &[queue]).await;
    }
    let leased = store.lease(lease(queue, 3)).await.unwrap();
    store.lease(Lease { acks: vec![leased.notifications[0].id], ..lease(queue, 0) }).await.unwrap();
    store.close().await;
    drop(store);
    let at = |position| (queue.0, position);
    let remove = |table: Rows, position| {
        move |write: &WriteTransaction| drop(write.open_table(table).unwrap().remove(at(position)).unwrap())
    };
    assert_found(
        &subject,
        &[
            (&copy(OUTCOMES, at(1), OUTCOMES, at(2)), "the notification at 2 is open and has ended"),
            (&copy(OPEN, at(2), OPEN, (9, 2)), "an open notification is for endpoint 9, which is not there"),
            (&copy(OPEN, at(2), OPEN, at(40)), "the open notification at 40 has no event"),
            (&copy(OUTCOMES, at(1), OUTCOMES, (9, 1)), "an ended notification is for endpoint 9, which is not there"),
            (&copy(OUTCOMES, at(1), OUTCOMES, at(40)), "a notification ended at 40, ahead of all events"),
            (&copy(OUTCOMES, at(1), OUTCOMES, at(40)), "a row of the notification at 40, which was never made"),
            (&remove(OPEN, 3), "what was leased at 3 is nowhere"),
            (&remove(OUTCOMES, 1), "notifications consumed: 0 in the rows, but 1 were noted"),
        ],
    );
}

#[tokio::test]
async fn verify_finds_what_is_wrong_with_what_is_sent() {
    let subject = Subject::new();
    let store = subject.open();
    let queue = queue(&*store, "queue").await;
    let (hook, gone) = (webhook(&*store, "s").await, webhook(&*store, "gone").await);
    publish(&*store, None, &[queue]).await;
    for name in ["delivered", "tried"] {
        append(&*store, vec![sent_event(name, &[hook, gone], HOUR)]).await.unwrap();
    }
    let claimed = store.claim(claim(hook, 2)).await.unwrap();
    settle(&*store, hook, claimed[0].id, Settle::Delivered).await;
    settle(&*store, hook, claimed[1].id, again(&*store, HOUR)).await;
    store.stand(hook, held(&*store, None)).await.unwrap();
    store.change_subscriptions(vec![SubscriptionChange::Remove("gone".into())]).await.unwrap();
    let suppression = Suppression { address: "a@b".to_owned(), since: store.now(), reply: "550".to_owned() };
    store.suppress("a@b", Some(suppression)).await.unwrap();
    let condition = KeptCondition {
        name: "n".to_owned(),
        subject: "s".to_owned(),
        since: store.now(),
        told: (1, store.now()),
        detail: String::new(),
    };
    store.keep_condition(condition).await.unwrap();
    store.close().await;
    drop(store);

    let attempt = |key: (u32, u64, u32)| {
        move |write: &WriteTransaction| {
            let mut attempts = write.open_table(ATTEMPTS).unwrap();
            let row = attempts.get((hook.0, 3, 1)).unwrap().unwrap().value().to_vec();
            attempts.insert(key, row.as_slice()).unwrap();
        }
    };
    let standing = |number: u32| {
        move |write: &WriteTransaction| {
            let mut standings = write.open_table(STANDINGS).unwrap();
            let row = standings.get(hook.0).unwrap().unwrap().value().to_vec();
            standings.insert(number, row.as_slice()).unwrap();
        }
    };
    let cut = [1, 2, 3].as_slice();
    assert_found(
        &subject,
        &[
            (&attempt((9, 3, 1)), "an attempt is for endpoint 9, which is not there"),
            (&attempt((queue.0, 1, 1)), "an attempt is for endpoint 1, which is polled"),
            (&attempt((hook.0, 40, 1)), "an attempt of the notification at 40, which was never made"),
            (&attempt((hook.0, 1, 1)), "an attempt of the notification at 1, which was never made"),
            (
                &|write| drop(write.open_table(ATTEMPTS).unwrap().insert((hook.0, 3, 2), cut).unwrap()),
                "endpoint 2: attempt 2 of the notification at 3: ",
            ),
            (&standing(9), "how endpoint 9 stands, which is not sent to"),
            (&standing(queue.0), "how endpoint 1 stands, which is not sent to"),
            (&standing(gone.0), "how endpoint 3 stands, which is not sent to"),
            (
                &|write| drop(write.open_table(STANDINGS).unwrap().insert(hook.0, cut).unwrap()),
                "endpoint 2: how it stands: ",
            ),
            (&copy(OUTCOMES, (hook.0, 2), OUTCOMES, (hook.0, 3)), "the notification at 3 is open and has ended"),
            // Its version and state can be read, and no more.
            (&|write| put(write, OUTCOMES, (hook.0, 2), &[2, 3]), "the end of the notification at 2: "),
            (
                &|write| drop(write.open_table(SUPPRESSED).unwrap().insert("a@b", cut).unwrap()),
                "a suppressed address: ",
            ),
            (&|write| drop(write.open_table(CONDITIONS).unwrap().insert(("n", "s"), cut).unwrap()), "a condition: "),
        ],
    );
}

#[tokio::test]
async fn nothing_is_left_of_what_the_history_has_passed() {
    let mut subject = Subject::new();
    (subject.settings.history, subject.settings.history_max) = (Duration::ZERO, 0);
    subject.settings.duplicate_window = Duration::from_secs(1);
    let store = subject.open();
    let (queue, gone) = (queue(&*store, "s").await, queue(&*store, "gone").await);
    let (hook, gone_hook) = (webhook(&*store, "hook").await, webhook(&*store, "gone-hook").await);
    let mut sizes = Vec::new();
    for round in 0..20 {
        let batch = (0..300).map(|_| event_for(draft(None, "301"), &[queue, gone], HOUR)).collect();
        append(&*store, batch).await.unwrap();
        let batch = (0..100).map(|n| sent_event(&format!("{round}-{n}"), &[hook, gone_hook], HOUR)).collect();
        append(&*store, batch).await.unwrap();
        // A third is acknowledged at once, a third is leased again and polled, a third is left to lapse.
        let page = store.lease(lease(queue, 1000)).await.unwrap();
        let acks = page.notifications.iter().step_by(3).map(|n| n.id).collect();
        store.lease(Lease { acks, ..lease(queue, 0) }).await.unwrap();
        subject.clock.advance(Duration::from_mins(1));
        assert_eq!(store.lease(Lease { max_handouts: 2, ..lease(queue, 100) }).await.unwrap().notifications.len(), 100);
        assert_eq!(taken(&*store, queue, 100).await.len(), 100);
        store.lease(lease(gone, 1000)).await.unwrap();
        for hook in [hook, gone_hook] {
            send_out(&store, hook).await;
        }
        subject.clock.advance(2 * HOUR);
        while store.sweep().await.unwrap().more {}
        sizes.push(std::fs::metadata(subject.path()).unwrap().len());
    }
    assert_eq!(sizes[8], sizes[19], "{sizes:?}");
    store.stand(gone_hook, held(&*store, None)).await.unwrap();
    let remove = ["gone", "gone-hook"].map(|id| SubscriptionChange::Remove(id.into()));
    store.change_subscriptions(remove.to_vec()).await.unwrap();
    for _ in 0..2 {
        subject.clock.advance(HOUR);
        while store.sweep().await.unwrap().more {}
    }
    assert_eq!(store.figures().body_bytes, 0);
    let store = verified(&subject, store).await;
    store.close().await;
    drop(store);
    let db = redb::Database::open(subject.path()).unwrap();
    let read = db.begin_read().unwrap();
    let rows = |table| read.open_table::<(u32, u64), &[u8]>(table).unwrap().len().unwrap();
    assert_eq!((rows(OPEN), rows(OUTCOMES)), (0, 0));
    assert_eq!(read.open_table(ATTEMPTS).unwrap().len().unwrap(), 0);
    assert_eq!(read.open_table(STANDINGS).unwrap().len().unwrap(), 0);
    let pages = read.open_table(PAGES).unwrap().len().unwrap();
    assert!(pages <= 2, "the cursor's, and the last that did not move it: {pages}");
}

/// A third is delivered at once, a third at the second try, a third is left to expire.
async fn send_out(store: &Arc<dyn Store>, hook: tidings::model::id::EndpointNumber) {
    let mut settling = Vec::new();
    for (n, claimed) in store.claim(claim(hook, 1000)).await.unwrap().into_iter().enumerate() {
        let verdicts = match n % 3 {
            0 => vec![Settle::Delivered],
            1 => vec![again(&**store, HOUR), Settle::Delivered],
            _ => vec![again(&**store, HOUR)],
        };
        let store = Arc::clone(store);
        settling.push(tokio::spawn(async move {
            for verdict in verdicts {
                settle(&*store, hook, claimed.id, verdict).await;
            }
        }));
    }
    for settled in settling {
        settled.await.unwrap();
    }
}
