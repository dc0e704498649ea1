//! A file of before anything was sent: `older.txt` has its rows, as the program of that time has written them.

use std::sync::Arc;

use redb::{Database, Key, ReadableDatabase, TableDefinition, TableHandle, Value, WriteTransaction};
use tidings::model::id::{EndpointNumber, LedgerId};
use tidings::model::notification::{State, Sums};
use tidings::model::subscription::HoldReason;
use tidings::model::target::Target;
use tidings::store::redb::verify;
use tidings::store::{Act, Action, Settle, Settled, SubscriptionChange};

use super::sent::*;
use super::subject::*;

fn table<K: Key + 'static, V: Value + 'static>(name: &str) -> TableDefinition<'_, K, V> {
    TableDefinition::new(name)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn insert(write: &WriteTransaction, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    let short = |at: usize| words[at].parse::<u32>().unwrap();
    let row = || bytes(words.last().unwrap());
    match words[0] {
        name @ ("meta" | "subscriptions") => {
            write.open_table(table::<&str, &[u8]>(name)).unwrap().insert(words[1], row().as_slice()).map(drop)
        }
        name @ "endpoints" => {
            write.open_table(table::<u32, &[u8]>(name)).unwrap().insert(short(1), row().as_slice()).map(drop)
        }
        name @ ("heads" | "events") => {
            write.open_table(table::<u64, &[u8]>(name)).unwrap().insert(number(1), row().as_slice()).map(drop)
        }
        name @ ("open" | "outcomes") => {
            let key = (short(1), number(2));
            write.open_table(table::<(u32, u64), &[u8]>(name)).unwrap().insert(key, row().as_slice()).map(drop)
        }
        name @ "pages" => {
            let key = (short(1), number(2), short(3));
            write.open_table(table::<(u32, u64, u32), &[u8]>(name)).unwrap().insert(key, row().as_slice()).map(drop)
        }
        name @ "polled" => {
            write.open_table(table::<u32, i64>(name)).unwrap().insert(short(1), number(2).cast_signed()).map(drop)
        }
        name @ "settled" => {
            write.open_table(table::<u64, i64>(name)).unwrap().insert(number(1), number(2).cast_signed()).map(drop)
        }
        other => panic!("{other}"),
    }
    .unwrap();
}

/// The place of the old file.
fn older() -> Subject {
    let subject = Subject::new();
    let db = Database::create(subject.path()).unwrap();
    let write = db.begin_write().unwrap();
    include_str!("older.txt").lines().for_each(|line| insert(&write, line));
    // There is nothing in these.
    write.open_table(table::<u32, &[u8]>("tallies")).unwrap();
    write.open_table(table::<&str, &[u8]>("secrets")).unwrap();
    write.commit().unwrap();
    subject
}

fn counted(sums: &Sums) -> [u64; 8] {
    State::ALL.map(|state| sums.get(state))
}

/// What that program said that there was: 28 made, of which 2 were leased, and so on.
const SUMS: [u64; 8] = [0, 2, 8, 0, 2, 1, 0, 15];

fn notification(position: u64) -> LedgerId {
    let text = format!("01a3185c-5000-7000-8000-{:012x}", position << 18 | 1);
    LedgerId::parse(&text).unwrap()
}

#[tokio::test]
async fn a_file_of_before_anything_was_sent_is_opened_and_goes_on() {
    let subject = older();
    let report = verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap();
    assert_eq!((counted(&report.sums.poll), report.findings), (SUMS, Vec::new()));

    let store = subject.open();
    assert_eq!(counted(&store.figures().sums.poll), SUMS);
    let subscription = Arc::clone(store.subscriptions().get("s").unwrap());
    assert_eq!(subscription.endpoints[0].target, Target::Poll);
    assert_eq!(subscription.endpoints[0].number, EndpointNumber(1));
    for (position, state, reason, round) in [
        (1, State::Held, "paused", 2),
        (2, State::Consumed, "answer-unconfirmed", 1),
        (3, State::Consumed, "acknowledged", 1),
        (4, State::Failed, "broken", 1),
        (8, State::Held, "paused", 2),
        (9, State::Cancelled, "cancelled by operator:anna", 1),
        (14, State::Held, "paused", 1),
    ] {
        let told = story(&*store, notification(position)).await;
        assert_eq!((told.view.state, told.view.reason.as_deref(), told.view.round), (state, Some(reason), round));
        assert_eq!((told.push.attempts.len(), told.push.due), (0, None));
    }
    assert_eq!(story(&*store, notification(5)).await.view.state, State::Leased);

    // It is the file of this program from now on.
    let store = verified(&subject, store).await;
    store.change_subscriptions(vec![SubscriptionChange::Release("s".into(), HoldReason::Paused)]).await.unwrap();
    let reopen =
        Act { items: vec![(notification(4), Action::Reopen { ttl: HOUR })], by: "me".to_owned(), dry_run: false };
    assert_eq!(store.act(reopen).await.unwrap(), [Ok(())]);
    assert_eq!(taken(&*store, EndpointNumber(1), 4).await, ["0", "3", "6", "7"]);
    let hook = webhook(&*store, "hook").await;
    let id = send(&*store, "e", hook, HOUR).await;
    store.claim(claim(hook, 1)).await.unwrap();
    assert_eq!(settle(&*store, hook, id, Settle::Delivered).await, Settled::In(State::Delivered));
    while store.sweep().await.unwrap().more {}
    let store = verified(&subject, store).await;
    assert_eq!(story(&*store, id).await.push.attempts.len(), 1);
}

#[tokio::test]
async fn an_earlier_program_is_told_that_the_file_is_newer() {
    let subject = older();
    subject.open().close().await;
    let db = Database::open(subject.path()).unwrap();
    let read = db.begin_read().unwrap();
    let state = read.open_table(table::<&str, &[u8]>("meta")).unwrap().get("state").unwrap().unwrap().value().to_vec();
    // The record's version, and the format behind it.
    assert_eq!(state[..2], [1, 4]);
    let tables: Vec<String> = read.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    for expected in ["attempts", "standings", "suppressed", "conditions", "numbers", "repeats", "erasing"] {
        assert!(tables.contains(&expected.to_owned()), "{tables:?}");
    }
}
