//! The reserve of room (design.md, `limits.disk_reserve`) on volumes of a given size: blocks are taken where something
//! is written for the first time, and a volume that is full fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings::store::redb::{Faults, Volume, verify};
use tidings::store::{Append, AppendError, NewEvent, Settle, Store, SubscriptionChange};

use super::sent::{claim, claimed, sent_event, settlement, webhook};
use super::subject::*;

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;

/// A volume with the data file and others' files on it.
#[derive(Debug)]
struct Disk {
    size: u64,
    others: AtomicU64,
    /// Which blocks the file has, and how many they are.
    blocks: Mutex<(Vec<bool>, u64)>,
    len: AtomicU64,
    failures: AtomicU64,
}

impl Disk {
    fn new(size: u64) -> Arc<Self> {
        let zero = AtomicU64::default;
        Arc::new(Self { size, others: zero(), blocks: Mutex::default(), len: zero(), failures: zero() })
    }

    fn taken(&self) -> u64 {
        self.blocks.lock().1 * BLOCK
    }

    fn hole(&self) -> u64 {
        self.len.load(Ordering::SeqCst).saturating_sub(self.taken())
    }

    fn free(&self) -> u64 {
        self.size.saturating_sub(self.taken() + self.others.load(Ordering::SeqCst))
    }

    /// Others leave so many bytes free.
    fn others_leave(&self, free: u64) {
        self.others.store(self.size - self.taken() - free, Ordering::SeqCst);
    }

    fn take(&self, offset: u64, len: u64) -> bool {
        let blocks = offset / BLOCK..(offset + len).div_ceil(BLOCK);
        let (have, count) = &mut *self.blocks.lock();
        let end = usize::try_from(blocks.end).unwrap();
        if have.len() < end {
            have.resize(end, false);
        }
        let wanted = &mut have[usize::try_from(blocks.start).unwrap()..end];
        let new = wanted.iter().filter(|b| !**b).count() as u64;
        if new > 0 && (*count + new) * BLOCK + self.others.load(Ordering::SeqCst) > self.size {
            return false;
        }
        wanted.fill(true);
        *count += new;
        true
    }
}

impl Faults for Disk {
    fn write(&self, offset: u64, len: usize) -> io::Result<()> {
        if self.take(offset, len as u64) {
            return Ok(());
        }
        self.failures.fetch_add(1, Ordering::SeqCst);
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn extend(&self, len: u64) -> io::Result<()> {
        self.len.store(len, Ordering::SeqCst);
        let (have, count) = &mut *self.blocks.lock();
        let cut = have.len().min(usize::try_from(len.div_ceil(BLOCK)).unwrap());
        *count -= have.drain(cut..).filter(|b| *b).count() as u64;
        Ok(())
    }
    fn fill(&self, offset: u64, len: u64) -> io::Result<()> {
        if self.take(offset, len) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
    fn volume(&self) -> Option<Volume> {
        Some(Volume { free: self.free(), taken: self.taken(), hole: self.hole() })
    }
}

/// A store on a volume of so many bytes, with a tenth of it in reserve and an hour of history.
fn on_disk(size: u64) -> (Subject, Arc<Disk>) {
    let disk = Disk::new(size);
    let mut subject = Subject::new();
    subject.faults = Some(disk.clone());
    subject.settings.disk_reserve = size / 10;
    subject.settings.history = HOUR;
    subject.settings.duplicate_window = Duration::ZERO;
    (subject, disk)
}

fn batch(queue: tidings::model::id::EndpointNumber, events: usize) -> Vec<NewEvent> {
    (0..events).map(|_| event_for(with_data(3000), &[queue], 6 * HOUR)).collect()
}

/// Publishes until there is no room; answers how many events were stored.
async fn fill(store: &dyn Store, queue: tidings::model::id::EndpointNumber) -> usize {
    let mut stored = 0;
    loop {
        match append(store, batch(queue, 200)).await {
            Ok(receipts) => stored += receipts.len(),
            Err(AppendError::NoRoom(room)) => {
                assert_eq!((room, room.low), (store.room(), true));
                return stored;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(stored < 10_000_000);
    }
}

/// Polls in pages of `size` until the queue is empty, with everything that goes with it; answers how many came.
async fn drain(store: &dyn Store, queue: tidings::model::id::EndpointNumber, size: usize) -> usize {
    let mut polled = 0;
    loop {
        store.polled(queue);
        let page = store.take(take(queue, size, Some(&polled.to_string()))).await.unwrap();
        let Some(id) = page.id else { return polled };
        store.confirm(id);
        polled += page.notifications.len();
        if polled % 200 < size {
            store.sweep().await.unwrap();
        }
    }
}

async fn settle(subject: &Subject, store: &dyn Store) {
    for _ in 0..4 {
        subject.clock.advance(HOUR);
        while store.sweep().await.unwrap().more {}
    }
}

async fn verified(subject: &Subject, store: Arc<dyn Store>) {
    assert_conserved(&*store);
    store.close().await;
    assert_eq!(verify(&subject.path(), &(Arc::new(|_| {}) as _)).unwrap().findings, Vec::<String>::new());
}

#[tokio::test]
async fn without_room_publishing_is_refused_and_all_else_goes_on() {
    refused_and_taken_again(32 * MIB).await;
}

/// The file is longer than what the volume has blocks for, so that what is free inside it is not safe to use.
#[tokio::test]
async fn a_file_that_was_doubled_beyond_its_volume_gives_it_room_again() {
    refused_and_taken_again(22 * MIB).await;
}

async fn refused_and_taken_again(size: u64) {
    let (subject, disk) = on_disk(size);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    let stored = fill(&*store, queue).await;
    assert!(stored > 2000, "{stored}");

    assert_eq!(drain(&*store, queue, 4).await, stored);
    subscribe(&*store, "another").await;
    store.change_subscriptions(vec![SubscriptionChange::Remove("another".into())]).await.unwrap();
    let store = subject.reopen(store).await;
    assert!(store.trouble().is_none());

    settle(&subject, &*store).await;
    store.sweep().await.unwrap();
    assert_eq!(store.figures().body_bytes, 0);
    assert!(!store.room().low, "{}", store.room());
    publish(&*store, None, &[queue]).await;
    assert_eq!(taken(&*store, queue, 10).await.len(), 1);
    assert_eq!(disk.failures.load(Ordering::SeqCst), 0, "no write ever failed");
    verified(&subject, store).await;
}

#[tokio::test]
async fn what_is_free_inside_the_file_is_room_on_a_full_volume() {
    let (subject, disk) = on_disk(96 * MIB);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    for _ in 0..40 {
        append(&*store, batch(queue, 200)).await.unwrap();
    }
    drain(&*store, queue, 1000).await;
    settle(&subject, &*store).await;
    // Others fill the volume, as fast as a sweep follows.
    while disk.free() > MIB {
        disk.others_leave(disk.free().saturating_sub(2 * MIB).max(MIB));
        store.sweep().await.unwrap();
    }
    let (room, taken) = (store.room(), disk.taken());
    assert!(!room.low && room.bytes > taken / 2, "{room} of {taken}");

    let again = fill(&*store, queue).await;
    assert!(again > 2000, "{again}");
    assert_eq!(drain(&*store, queue, 4).await, again);
    assert_eq!(disk.failures.load(Ordering::SeqCst), 0, "no write ever failed");
    verified(&subject, store).await;
}

/// What the volume looks like is set by hand.
#[derive(Debug, Default)]
struct Shown(Mutex<Option<Volume>>);

impl Shown {
    fn show(&self, free: u64, taken: u64) {
        *self.0.lock() = Some(Volume { free, taken, hole: 0 });
    }
}

impl Faults for Shown {
    fn write(&self, _: u64, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn extend(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn volume(&self) -> Option<Volume> {
        *self.0.lock()
    }
}

fn shown(reserve: u64) -> (Subject, Arc<Shown>) {
    let volume = Arc::new(Shown::default());
    let mut subject = Subject::new();
    subject.faults = Some(volume.clone());
    subject.settings.disk_reserve = reserve;
    (subject, volume)
}

#[tokio::test]
async fn it_is_low_below_the_reserve_and_until_there_is_twice_as_much() {
    let reserve = 64 * MIB;
    let (subject, volume) = shown(reserve);
    volume.show(reserve, 0);
    let store = subject.open();
    for (free, low) in [
        (reserve, false),
        (reserve - 1, true),
        (reserve, true),
        (2 * reserve - 1, true),
        (2 * reserve, false),
        (reserve, false),
        (0, true),
    ] {
        volume.show(free, 0);
        store.sweep().await.unwrap();
        assert_eq!((store.room().bytes, store.room().low), (free, low));
        let stored = append(&*store, vec![event_for(draft(None, "301"), &[], HOUR)]).await;
        assert_eq!(matches!(stored, Err(AppendError::NoRoom(_))), low, "{free}: {stored:?}");
    }
    // An append is the first to see it, and none of those with it are stored.
    volume.show(2 * reserve, 0);
    store.sweep().await.unwrap();
    let queue = queue(&*store, "s").await;
    volume.show(reserve - 1, 0);
    assert!(matches!(append(&*store, batch(queue, 2)).await, Err(AppendError::NoRoom(_))));
    assert_eq!(store.queue(queue).waiting, 0);
    // A start with less than twice the reserve is not low.
    volume.show(reserve, 0);
    assert!(!subject.reopen(store).await.room().low);
}

#[tokio::test]
async fn what_tells_of_a_low_disk_is_stored_on_it() {
    let reserve = 64 * MIB;
    let (subject, volume) = shown(reserve);
    volume.show(reserve, 0);
    let store = subject.open();
    for (free, taken) in [(reserve / 2, true), (reserve / 3, true), (reserve / 4 - 1, false), (reserve / 2, true)] {
        volume.show(free, 0);
        store.sweep().await.unwrap();
        let event = || vec![event_for(draft(None, "301"), &[], HOUR)];
        assert!(matches!(append(&*store, event()).await, Err(AppendError::NoRoom(_))), "{free}");
        let matched_against = store.subscriptions().version();
        let own = store.append(Append { matched_against, events: event(), own: true, keep: None }).await;
        assert_eq!(own.is_ok(), taken, "{free}: {own:?}");
    }
}

#[tokio::test]
async fn what_is_free_inside_counts_only_while_the_volume_could_fill_the_hole() {
    let reserve = 8 * MIB;
    let (subject, volume) = shown(reserve);
    volume.show(reserve, 0);
    let store = subject.open();
    for (free, hole, expected) in
        [(MIB, 0, 61 * MIB), (MIB, MIB, 61 * MIB), (MIB, MIB + 1, MIB), (40 * MIB, 41 * MIB, 40 * MIB)]
    {
        *volume.0.lock() = Some(Volume { free, taken: 64 * MIB, hole });
        store.sweep().await.unwrap();
        let room = store.room().bytes;
        assert!(room <= expected + 3 * MIB && room >= expected, "{free} {hole}: {room}");
    }
}

#[tokio::test]
async fn an_append_that_would_take_half_of_the_reserve_is_refused_alone() {
    let reserve = 4 * MIB;
    let (subject, volume) = shown(reserve);
    volume.show(reserve, 0);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    assert!(matches!(append(&*store, batch(queue, 500)).await, Err(AppendError::NoRoom(room)) if !room.low));
    append(&*store, batch(queue, 20)).await.unwrap();
}

#[tokio::test]
async fn without_a_reserve_nothing_is_refused() {
    let (subject, volume) = shown(0);
    volume.show(0, 0);
    let store = subject.open();
    let queue = queue(&*store, "s").await;
    append(&*store, batch(queue, 100)).await.unwrap();
    assert_eq!((store.room().low, store.room().reserve), (false, 0));
}

/// What the pages of the file take in truth, and what the store reckons.
async fn used(subject: &Subject, volume: &Shown, store: Arc<dyn Store>) -> (u64, u64) {
    const TAKEN: u64 = 1 << 40;
    volume.show(0, TAKEN);
    store.sweep().await.unwrap();
    let reckoned = TAKEN - store.room().bytes;
    store.close().await;
    drop(store);
    let db = redb::Database::open(subject.path()).unwrap();
    let stats = db.begin_write().unwrap().stats().unwrap();
    (stats.allocated_pages() * BLOCK, reckoned)
}

fn with_data(bytes: usize) -> tidings::model::event::EventDraft {
    let data = bytes::Bytes::from(format!("\"{}\"", "x".repeat(bytes)));
    tidings::model::event::EventDraft {
        data: Some(tidings::model::json::RawJson::parse(&data).unwrap()),
        ..draft(None, "301")
    }
}

#[tokio::test]
async fn what_is_used_is_reckoned_from_above_whatever_the_sizes() {
    for sizes in [&[20][..], &[700], &[1500], &[2100], &[5000], &[20_000], &[100, 5000], &[50, 900, 50, 3000]] {
        let (subject, volume) = shown(0);
        let store = subject.open();
        for round in 0..20 {
            let events = (0..50).map(|n| event_for(with_data(sizes[(round + n) % sizes.len()]), &[], HOUR));
            append(&*store, events.collect()).await.unwrap();
        }
        while store.sweep().await.unwrap().more {}
        let (truth, reckoned) = used(&subject, &volume, store).await;
        assert!(reckoned >= truth, "{sizes:?}: {reckoned} of {truth}");
        assert!(reckoned <= truth * 5 / 2 + MIB, "{sizes:?}: {reckoned} of {truth}");
    }
}

#[tokio::test]
async fn what_is_used_is_reckoned_from_above_with_pages_and_many_targets() {
    let (subject, volume) = shown(0);
    let store = subject.open();
    let mut queues = Vec::new();
    for n in 0..60 {
        queues.push(queue(&*store, &format!("s{n}")).await);
    }
    for _ in 0..20 {
        let events = (0..50).map(|_| event_for(draft(None, "301"), &queues, HOUR)).collect();
        append(&*store, events).await.unwrap();
    }
    for queue in &queues[..20] {
        for _ in 0..300 {
            assert_eq!(taken(&*store, *queue, 2).await.len(), 2);
        }
    }
    for queue in &queues {
        taken(&*store, *queue, 1000).await;
    }
    while store.sweep().await.unwrap().more {}
    let (truth, reckoned) = used(&subject, &volume, store).await;
    assert!(reckoned >= truth && reckoned <= truth * 3 + MIB, "{reckoned} of {truth}");
}

#[tokio::test]
async fn what_is_used_is_reckoned_from_above_where_only_some_are_left() {
    let (mut subject, volume) = shown(0);
    subject.settings.history_max = 0;
    let store = subject.open();
    let (slow, fast) = (queue(&*store, "slow").await, queue(&*store, "fast").await);
    for _ in 0..40 {
        let events = (0..500).map(|n| event_for(draft(None, "301"), &[if n % 7 == 0 { slow } else { fast }], HOUR));
        append(&*store, events.collect()).await.unwrap();
        while !taken(&*store, fast, 1000).await.is_empty() {}
    }
    for _ in 0..20 {
        while store.sweep().await.unwrap().more {}
    }
    let before = store.figures().body_bytes;
    let (truth, reckoned) = used(&subject, &volume, store).await;
    assert!(reckoned >= truth && reckoned <= truth * 4 + 2 * MIB, "{reckoned} of {truth}, bodies {before}");
}

#[tokio::test]
async fn what_is_used_is_reckoned_from_above_with_leases_and_their_ends() {
    let (subject, volume) = shown(0);
    let store = subject.open();
    let mut queues = Vec::new();
    for n in 0..10 {
        queues.push(queue(&*store, &format!("s{n}")).await);
    }
    for _ in 0..20 {
        let events = (0..100).map(|_| event_for(draft(None, "301"), &queues, HOUR));
        append(&*store, events.collect()).await.unwrap();
    }
    for round in 0..3 {
        for queue in &queues {
            for _ in 0..10 {
                let leased = store.lease(lease(*queue, 150)).await.unwrap();
                let acks = leased.notifications.iter().skip(round).step_by(3).map(|n| n.id).collect();
                store.lease(tidings::store::Lease { acks, ..lease(*queue, 0) }).await.unwrap();
            }
        }
        subject.clock.advance(Duration::from_mins(1));
    }
    while store.sweep().await.unwrap().more {}
    let (truth, reckoned) = used(&subject, &volume, store).await;
    assert!(reckoned >= truth && reckoned <= truth * 4 + MIB, "{reckoned} of {truth}");
}

#[tokio::test]
async fn what_is_used_is_reckoned_from_above_with_attempts_and_what_was_answered() {
    for answers in [&[0][..], &[100, 0], &[1400], &[4000], &[0, 4000], &[0, 0, 0, 1400]] {
        let (subject, volume) = shown(0);
        let store = subject.open();
        let mut hooks = Vec::new();
        for n in 0..12 {
            hooks.push(webhook(&*store, &format!("s{n}")).await);
        }
        append(&*store, (0..60).map(|n| sent_event(&n.to_string(), &hooks, HOUR)).collect()).await.unwrap();
        for round in 0..4 {
            let mut settling = Vec::new();
            for (n, hook) in hooks.iter().enumerate() {
                for claimed in store.claim(claim(*hook, 100)).await.unwrap() {
                    let due = Settle::Retry { due: subject.clock_now(), counts: true };
                    let verdict = if round == 3 { Settle::Delivered } else { due };
                    let mut settlement = settlement(&*store, *hook, claimed.id, verdict);
                    settlement.attempt.answer = "x".repeat(answers[n % answers.len()]);
                    let store = store.clone();
                    settling.push(tokio::spawn(async move { store.settle(settlement).await.unwrap() }));
                }
            }
            for settled in settling {
                settled.await.unwrap();
            }
        }
        assert!(claimed(&*store, claim(hooks[0], 1)).await.is_empty());
        while store.sweep().await.unwrap().more {}
        let (truth, reckoned) = used(&subject, &volume, store).await;
        assert!(reckoned >= truth && reckoned <= truth * 4 + MIB, "{answers:?}: {reckoned} of {truth}");
    }
}
