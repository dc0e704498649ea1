//! The writer: a resident thread that commits whatever has queued up, and nobody else writes.
//!
//! Appends and takes that have queued up share a transaction. What changes the subscription set or sweeps has one of
//! its own, so that within a group neither the set nor a queue's endpoints change. When nothing comes for
//! [`IDLE_AFTER`], one more commit stores what redb needs to open the file at once after a kill.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::{ReadableTable, Table, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::append::{self, Prepared, Stored};
use super::courses::Courses;
use super::memory::{Memory, Pending};
use super::notes::{self, DomainNote, Note};
use super::open::Opened;
use super::pin::Unread;
use super::record::{self, Head, Meta};
use super::tables::{EVENTS, HEADS, META, PAGES, POLLED, PageAt, STANDINGS};
use super::take::{self, Taken};
use super::{Shared, act, change, compact, hand, lease, open, settlement, storage, sweep};
use crate::base::clock::Timestamp;
use crate::model::id::EndpointNumber;
use crate::model::subscription::Subscription;
use crate::store::{
    Act, AppendError, KeptCondition, Receipt, Settled, Settlement, Standing, StoreError, SubscribeError,
    SubscriptionChange, Swept, Take,
};

/// How long the writer waits for something to do before it makes the next start quick.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// Operations in the last group from which on callers are a crowd, how many are then waited for, and how long at most.
/// Measured with 64 connections, a tenth more events: 17 operations a commit and 34 microseconds of CPU an event without,
/// 28 and 30 with.
const CROWD: usize = 8;
const GATHERED: usize = 32;
const GATHER_STEP: Duration = Duration::from_micros(100);
const GATHER_STEPS: usize = 10;

/// The most operations in one transaction.
const MAX_GROUP: usize = 1024;

/// Bytes of bodies at which a group is closed.
const MAX_GROUP_BYTES: usize = 4 << 20;

/// Leases that are released before a group: those who read wait meanwhile.
pub(super) const RELEASED_AT_ONCE: usize = 20_000;

/// How often the file is tried again after a fault.
const REOPEN_EVERY: Duration = Duration::from_millis(500);

/// How long readers of the old handle are waited for before the file is opened anew.
const READERS_LEAVE: Duration = Duration::from_secs(10);

/// The polls noted in one transaction.
const MAX_POLLED: usize = 512;

pub(super) type Answer<T> = oneshot::Sender<T>;

/// What the writer is asked for.
pub(super) enum Operation {
    Append { append: Prepared, reply: Answer<Result<Vec<Receipt>, AppendError>> },
    Take { take: Take, reply: Answer<Result<Option<Unread>, StoreError>> },
    Settle { settlement: Box<Settlement>, reply: Answer<Result<Settled, StoreError>> },
    Stand { endpoint: EndpointNumber, standing: Box<Standing>, reply: Answer<Result<(), StoreError>> },
    Note { note: Note, reply: Answer<Result<(), StoreError>> },
    Domain { note: DomainNote, reply: Answer<Result<bool, StoreError>> },
    Lease { order: Box<lease::Order>, reply: Answer<Result<lease::Answer, StoreError>> },
    Change { changes: Vec<SubscriptionChange>, reply: Answer<Result<Vec<Arc<Subscription>>, SubscribeError>> },
    KeepSecret { name: String, value: Vec<u8>, reply: Answer<Result<Vec<u8>, StoreError>> },
    ReplaceSecret { name: String, value: Vec<u8>, reply: Answer<Result<(), StoreError>> },
    Act { act: Act, reply: Answer<Result<act::Answers, StoreError>> },
    Sweep { reply: Answer<Result<Swept, StoreError>> },
    Close { reply: Answer<()> },
}

/// The way to the writer. What is sent holds a permit until it is taken, so that only so many wait.
#[derive(Clone)]
pub(super) struct Sender(mpsc::Sender<(Operation, OwnedSemaphorePermit)>);

impl Sender {
    pub(super) fn send(&self, operation: Operation, permit: OwnedSemaphorePermit) -> Result<(), StoreError> {
        self.0.send((operation, permit)).map_err(|_| StoreError::Closed)
    }
}

/// Writes the state row.
pub(super) fn write_meta(write: &WriteTransaction, meta: &Meta) -> Result<(), StoreError> {
    let mut table = write.open_table(META).map_err(storage)?;
    table.insert("state", record::encode(meta).as_slice()).map_err(storage)?;
    Ok(())
}

/// Starts the writer's thread. It ends when it is closed or when every [`Sender`] is gone.
pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<(Sender, std::thread::JoinHandle<()>)> {
    let (sender, operations) = mpsc::channel();
    let mut writer = Writer { shared, operations, quick: true, last_group: 0, last_try: None, last_compaction: None };
    let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || writer.run())?;
    Ok((Sender(sender), thread))
}

/// Asks the system to run this thread as soon as its flush is done. On a busy machine it would otherwise wake
/// milliseconds late, and everybody waits for it (performance.md). Where that is not permitted all works, but slower.
fn go_first() {
    use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    let asked = thread_priority::set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        ThreadPriority::Min,
        policy,
    );
    if let Err(error) = asked {
        tracing::debug!(?error, "the writer's thread has no priority over others");
    }
}

/// The writer: operations with a transaction of their own get it whole.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    operations: Receiver<(Operation, OwnedSemaphorePermit)>,
    /// Whether the last commit lets the file be opened at once.
    pub(super) quick: bool,
    /// Operations in the last group.
    last_group: usize,
    /// When the file was last opened anew after a fault, or that was tried.
    last_try: Option<Instant>,
    /// When the file was last compacted, or that was tried.
    pub(super) last_compaction: Option<Instant>,
}

/// Appends and takes that share a transaction.
#[derive(Default)]
struct Group {
    appends_and_takes: Vec<Operation>,
    bytes: usize,
    /// What comes after the group and has a transaction of its own.
    then: Option<Operation>,
}

impl Group {
    fn add(&mut self, operation: Operation) {
        match operation {
            Operation::Append { ref append, .. } => {
                self.bytes += append.bytes();
                self.appends_and_takes.push(operation);
            }
            Operation::Take { .. } | Operation::Lease { .. } | Operation::Settle { .. } | Operation::Stand { .. } => {
                self.appends_and_takes.push(operation);
            }
            other => self.then = Some(other),
        }
    }

    fn is_full(&self) -> bool {
        self.then.is_some() || self.appends_and_takes.len() >= MAX_GROUP || self.bytes >= MAX_GROUP_BYTES
    }
}

impl Writer {
    fn run(&mut self) {
        go_first();
        loop {
            match self.operations.recv_timeout(IDLE_AFTER) {
                Ok((first, permit)) => {
                    drop(permit);
                    if self.guarded(|writer| writer.run_group(first)) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.guarded(|writer| {
                        writer.idle();
                        false
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    /// Runs `work`; a panic in it is a fault like one of the disk: those who wait are answered, readiness says so, and
    /// the file is opened anew.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> bool) -> bool {
        std::panic::catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            tracing::error!("the ledger's writer panicked; the data file is opened anew");
            *self.shared.trouble.write() = Some("the ledger's writer panicked; the log has the panic".to_owned());
            false
        })
    }

    /// Runs what has queued up; answers whether the store was closed.
    fn run_group(&mut self, first: Operation) -> bool {
        let mut group = Group::default();
        group.add(first);
        self.gather(&mut group);
        if !group.appends_and_takes.is_empty() {
            self.commit_group(group.appends_and_takes);
        }
        match group.then {
            None => false,
            Some(Operation::Close { reply }) => {
                self.close();
                // Nobody waits if the receiver is gone.
                let _ = reply.send(());
                true
            }
            Some(operation) => {
                self.run_alone(operation);
                false
            }
        }
    }

    /// Adds what has queued up. A commit costs the same for ten operations as for thirty: where the last group was a
    /// crowd, this one is given a moment to grow, but not until everybody is in it, so that while one half is being
    /// committed the other half is at work. One caller alone never waits.
    fn gather(&mut self, group: &mut Group) {
        let crowd = self.last_group >= CROWD;
        for step in 0..GATHER_STEPS {
            let before = group.appends_and_takes.len();
            while !group.is_full() {
                let Ok((operation, _permit)) = self.operations.try_recv() else { break };
                group.add(operation);
            }
            let size = group.appends_and_takes.len();
            if !crowd || group.is_full() || size >= GATHERED || (step >= 3 && size == before) {
                break;
            }
            std::thread::sleep(GATHER_STEP);
        }
        self.last_group = group.appends_and_takes.len();
    }

    fn commit_group(&mut self, operations: Vec<Operation>) {
        let started = Instant::now();
        let count = operations.len();
        let shared = Arc::clone(&self.shared);
        let mut group = GroupRun::new(&shared, operations);
        let result = self.transaction("group", false, |write, meta, _| group.run(write, meta));
        match result {
            Ok(meta) => {
                self.shared.options.metrics.group(count, started.elapsed());
                group.applied(&meta);
            }
            Err(error) => group.failed(&error),
        }
    }

    fn run_alone(&mut self, operation: Operation) {
        // A receiver that is gone does not change what was done.
        match operation {
            Operation::Change { changes, reply } => {
                let result = change::run(self, changes);
                let _ = reply.send(result);
            }
            Operation::KeepSecret { name, value, reply } => {
                let result = change::keep_secret(self, &name, &value);
                let _ = reply.send(result);
            }
            Operation::ReplaceSecret { name, value, reply } => {
                let result = change::replace_secret(self, &name, &value);
                let _ = reply.send(result);
            }
            Operation::Note { note, reply } => {
                let result = notes::run(self, &note);
                let _ = reply.send(result);
            }
            Operation::Domain { note, reply } => {
                let result = notes::note_domain(self, &note);
                let _ = reply.send(result);
            }
            Operation::Act { act, reply } => {
                let result = act::run(self, &act);
                let _ = reply.send(result);
            }
            Operation::Sweep { reply } => {
                let result = sweep::run(self);
                let (meta, waiting) = {
                    let memory = self.shared.memory.read();
                    (memory.meta.clone(), memory.queued)
                };
                self.shared.look_at_room(true, &meta, waiting);
                compact::run(self);
                let _ = reply.send(result);
            }
            Operation::Append { .. }
            | Operation::Take { .. }
            | Operation::Lease { .. }
            | Operation::Settle { .. }
            | Operation::Stand { .. }
            | Operation::Close { .. } => {}
        }
    }

    /// Makes the next start quick, and stores what waits for a transaction.
    fn idle(&mut self) {
        if self.shared.trouble.read().is_some() {
            return self.reopen();
        }
        if !self.quick || !self.shared.pending.lock().confirmed.is_empty() {
            // A failure is in the log and in readiness.
            let _ = self.transaction("idle", true, |_, _, _| Ok(()));
        }
    }

    fn close(&mut self) {
        if self.shared.trouble.read().is_none() {
            let _ = self.transaction("close", true, |_, _, _| Ok(()));
        }
        self.take_database();
    }

    /// Runs `work` in one transaction, with what is pending, and commits it. On an error nothing is stored, or it is
    /// not known whether it is: then the file is opened anew.
    pub(super) fn transaction(
        &mut self,
        name: &'static str,
        quick: bool,
        work: impl FnOnce(&WriteTransaction, &mut Meta, Timestamp) -> Result<(), StoreError>,
    ) -> Result<Meta, StoreError> {
        if self.shared.trouble.read().is_some() {
            self.reopen();
        }
        if let Some(detail) = self.shared.trouble.read().clone() {
            return Err(StoreError::Unavailable { detail });
        }
        let result = self.try_transaction(quick, work);
        self.shared.options.metrics.transaction(name, result.is_ok());
        match result {
            Ok(meta) => {
                self.quick = quick;
                self.shared.memory.write().meta = meta.clone();
                Ok(meta)
            }
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Broken(error)) => {
                tracing::error!(transaction = name, %error, "the data file cannot be written; it is opened anew");
                *self.shared.trouble.write() = Some(error.to_string());
                Err(error)
            }
        }
    }

    fn try_transaction(
        &self,
        quick: bool,
        work: impl FnOnce(&WriteTransaction, &mut Meta, Timestamp) -> Result<(), StoreError>,
    ) -> Result<Meta, Failure> {
        let db = self.shared.database().map_err(Failure::Refused)?;
        let now = self.shared.time.look();
        let mut meta = self.shared.memory.read().meta.clone();
        meta.ledger_time = now.as_millis();
        meta.clock_doubted = self.shared.time.is_doubted();
        meta.sequence += 1;
        let first = meta.next_position;
        let mut write = db.begin_write().map_err(storage).map_err(Failure::Broken)?;
        write.set_two_phase_commit(self.shared.options.settings.two_phase_commit);
        write.set_quick_repair(quick);
        let pending = take_pending(&self.shared);
        // First, so that what the work removes does not come back.
        let done = write_pending(&write, &pending, &self.shared, &mut meta)
            .and_then(|()| work(&write, &mut meta, now))
            .and_then(|()| {
                let appended = meta.next_position > first;
                if appended { append::keep_meta(&write, &meta) } else { write_meta(&write, &meta) }
            });
        let result = match done {
            Ok(()) => write.commit().map_err(storage).map_err(Failure::Broken).map(|()| meta),
            // A record that cannot be read is no fault of the disk: the transaction is dropped and the next may go well.
            Err(error @ StoreError::Corrupt { .. }) => match write.abort() {
                Ok(()) => Err(Failure::Refused(error)),
                Err(abort) => Err(Failure::Broken(storage(abort))),
            },
            Err(error) => Err(Failure::Broken(error)),
        };
        let given_back = if result.is_err() { pending } else { Pending::default() };
        give_back_pending(&self.shared, given_back);
        result
    }

    /// Opens the file anew after a fault and reads memory from it, unless that was tried just now: on a disk that
    /// stays full or broken each try takes as long as a start.
    fn reopen(&mut self) {
        if self.last_try.is_some_and(|t| t.elapsed() < REOPEN_EVERY) {
            return;
        }
        if self.take_database() {
            let options = &self.shared.options;
            let opened = open::open(options).and_then(|opened| {
                let settings = self.shared.settings.load();
                let memory = open::read(&opened.db, options, &settings, self.shared.now())?;
                Ok((opened, memory))
            });
            match opened {
                Ok((opened, memory)) => self.resume(opened, memory),
                Err(error) => {
                    tracing::error!(%error, "the data file cannot be opened; trying again");
                    *self.shared.trouble.write() = Some(error.to_string());
                }
            }
        }
        self.last_try = Some(Instant::now());
    }

    fn resume(&mut self, opened: Opened, mut memory: Memory) {
        let mut current = self.shared.memory.write();
        for (number, endpoint) in &mut memory.endpoints {
            if let Some(old) = current.endpoints.get(number) {
                endpoint.arrival = Arc::clone(&old.arrival);
                old.last_polled.get().into_iter().for_each(|at| endpoint.last_polled.note(at));
            }
        }
        Arc::make_mut(&mut memory.subscriptions).succeed(current.subscriptions.version());
        // What was consumed by a transaction that failed and is on disk all the same was answered to nobody.
        let in_doubt = memory.meta.paged.saturating_sub(current.meta.paged);
        self.shared.unconfirmed.fetch_add(in_doubt, Ordering::Relaxed);
        self.shared.time.raise(Timestamp::from_millis(memory.meta.ledger_time));
        let old = std::mem::replace(&mut *current, memory);
        drop(current);
        *self.shared.file.write() = opened.file;
        *self.shared.db.write() = Some(Arc::new(opened.db));
        *self.shared.trouble.write() = None;
        self.quick = false;
        old.endpoints.values().for_each(|e| e.arrival.notify_waiters());
        self.shared.set_changed.notify_waiters();
        tracing::warn!("the data file is open again");
    }

    /// Closes the handle once its readers have left; answers whether it is closed.
    fn take_database(&self) -> bool {
        let Some(db) = self.shared.db.write().take() else { return true };
        let started = Instant::now();
        let mut db = db;
        loop {
            match Arc::try_unwrap(db) {
                Ok(db) => {
                    drop(db);
                    return true;
                }
                Err(shared) if started.elapsed() < READERS_LEAVE => {
                    db = shared;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => {
                    tracing::error!("readers still use the data file; it is closed when they leave");
                    return false;
                }
            }
        }
    }
}

/// How a transaction failed.
enum Failure {
    /// Nothing was changed, and the next one may go well.
    Refused(StoreError),
    /// redb's handle is of no use any more.
    Broken(StoreError),
}

fn take_pending(shared: &Shared) -> Pending {
    let mut pending = shared.pending.lock();
    let polled = pending.polled.iter().copied().take(MAX_POLLED).collect();
    pending.polled.retain(|e| !std::collections::HashSet::contains(&polled, e));
    let confirmed = std::mem::take(&mut pending.confirmed);
    pending.marking.clone_from(&confirmed);
    Pending { confirmed, marking: Vec::new(), polled }
}

/// Ends a transaction: what it has not stored waits for the next.
fn give_back_pending(shared: &Shared, pending: Pending) {
    let mut current = shared.pending.lock();
    current.marking.clear();
    current.confirmed.extend(pending.confirmed);
    current.polled.extend(pending.polled);
}

fn write_pending(
    write: &WriteTransaction,
    pending: &Pending,
    shared: &Shared,
    meta: &mut Meta,
) -> Result<(), StoreError> {
    if !pending.confirmed.is_empty() {
        let mut pages = write.open_table(PAGES).map_err(storage)?;
        for key in &pending.confirmed {
            meta.confirmed += take::confirm(&mut pages, *key)?;
        }
    }
    if !pending.polled.is_empty() {
        let mut polled = write.open_table(POLLED).map_err(storage)?;
        for (endpoint, at) in last_polls(pending, &shared.memory.read()) {
            polled.insert(endpoint, at.as_millis()).map_err(storage)?;
        }
    }
    Ok(())
}

/// When the queues that are there were polled.
fn last_polls(pending: &Pending, memory: &Memory) -> Vec<(u32, Timestamp)> {
    let last = |number: &u32| Some((*number, memory.endpoints.get(number)?.last_polled.get()?));
    pending.polled.iter().filter_map(last).collect()
}

/// The tables that a group writes to.
pub(super) struct GroupTables<'txn> {
    pub(super) write: &'txn WriteTransaction,
    pub(super) events: Table<'txn, u64, &'static [u8]>,
    pages: Option<Table<'txn, PageAt, &'static [u8]>>,
    standings: Option<Table<'txn, u32, &'static [u8]>>,
    pub(super) courses: Courses<'txn>,
}

impl<'txn> GroupTables<'txn> {
    fn open(write: &'txn WriteTransaction) -> Result<Self, StoreError> {
        let events = write.open_table(EVENTS).map_err(storage)?;
        Ok(Self { write, events, pages: None, standings: None, courses: Courses::new(write) })
    }

    /// The pages: many groups need none.
    pub(super) fn pages(&mut self) -> Result<&mut Table<'txn, PageAt, &'static [u8]>, StoreError> {
        match &mut self.pages {
            Some(pages) => Ok(pages),
            empty => Ok(empty.insert(self.write.open_table(PAGES).map_err(storage)?)),
        }
    }

    /// How endpoints stand.
    pub(super) fn standings(&mut self) -> Result<&mut Table<'txn, u32, &'static [u8]>, StoreError> {
        match &mut self.standings {
            Some(standings) => Ok(standings),
            empty => Ok(empty.insert(self.write.open_table(STANDINGS).map_err(storage)?)),
        }
    }

    /// Keeps a condition with what else the group brings.
    pub(super) fn keep_condition(&self, condition: &KeptCondition) -> Result<(), StoreError> {
        notes::keep_condition(self.write, condition)
    }

    /// The head of an event; `None` if it is not there any more.
    pub(super) fn head(&self, position: u64) -> Result<Option<Head>, StoreError> {
        if let Some(row) = self.events.get(position).map_err(storage)? {
            return record::split_head(row.value()).map(|(_, head)| Some(head));
        }
        let heads = self.write.open_table(HEADS).map_err(storage)?;
        let row = heads.get(position).map_err(storage)?;
        row.map(|row| Head::decode(row.value())).transpose()
    }
}

/// A group on its way: what it does to memory once it is on disk, and who is answered.
struct GroupRun<'a> {
    shared: &'a Arc<Shared>,
    operations: Vec<Operation>,
    results: Vec<Outcome>,
    appends: append::Overlay,
    hands: hand::Overlay,
}

/// What became of one operation of a group.
enum Outcome {
    Append(Result<Stored, AppendError>),
    Take(Result<Option<Taken>, StoreError>),
    Lease(Result<lease::Done, StoreError>),
    Settle(Result<settlement::Done, StoreError>),
    Stand,
}

impl<'a> GroupRun<'a> {
    fn new(shared: &'a Arc<Shared>, operations: Vec<Operation>) -> Self {
        let results = Vec::with_capacity(operations.len());
        let events = operations.iter().map(|o| if let Operation::Append { append, .. } = o { append.len() } else { 0 });
        let appends = append::Overlay::new(events.sum());
        Self { shared, operations, results, appends, hands: hand::Overlay::default() }
    }

    fn run(&mut self, write: &WriteTransaction, meta: &mut Meta) -> Result<(), StoreError> {
        let mut tables = GroupTables::open(write)?;
        self.release(Timestamp::from_millis(meta.ledger_time));
        let _alone = self.shared.at_work.lock();
        let memory = self.shared.memory.read();
        let settings = &*self.shared.settings.load_full();
        self.hands.withheld_to = self.shared.time.withheld_to();
        if self.operations.iter().any(|o| matches!(o, Operation::Append { .. })) {
            self.shared.look_at_room(false, meta, memory.queued);
        }
        for operation in &mut self.operations {
            self.results.push(match operation {
                Operation::Append { append, .. } => {
                    let gauge = &self.shared.gauge;
                    let stored = if gauge.takes(append.bytes() as u64, append.len() as u64, append.own) {
                        append::run(append, &mut self.appends, &memory, settings, &mut tables, meta)
                    } else {
                        Err(AppendError::NoRoom(gauge.room()))
                    };
                    Outcome::Append(fatal(stored)?)
                }
                Operation::Take { take, reply } => {
                    let wanted = !reply.is_closed();
                    Outcome::Take(take::run(take, wanted, &mut self.hands, &memory, &mut tables, meta, settings)?)
                }
                Operation::Lease { order, reply } => {
                    let wanted = !reply.is_closed();
                    Outcome::Lease(lease::run(order, wanted, &mut self.hands, &memory, &mut tables, meta)?)
                }
                Operation::Settle { settlement, .. } => {
                    Outcome::Settle(settlement::run(settlement, &mut self.hands, &memory, &mut tables, meta)?)
                }
                Operation::Stand { endpoint, standing, .. } => {
                    if memory.is_sent_to(endpoint.0) {
                        self.hands.of(endpoint.0).stand(standing);
                        tables.keep_standing(endpoint.0, standing)?;
                    }
                    Outcome::Stand
                }
                // `Group::add` lets nothing else in.
                _ => Outcome::Take(Ok(None)),
            });
        }
        self.appends.keep_numbers(&tables)
    }

    /// What leases end by `now` waits again before anybody asks. This alone is before the commit: it follows from the
    /// time and what is on disk, and if the commit fails memory is read anew.
    fn release(&self, now: Timestamp) {
        if self.shared.memory.read().has_ended_leases(now) {
            self.shared.memory.write().release(now, RELEASED_AT_ONCE);
        }
    }

    /// The group is on disk: memory follows, then everybody is answered.
    fn applied(self, meta: &Meta) {
        let mut memory = self.shared.memory.write();
        let mut queued = 0;
        for (operation, outcome) in self.operations.iter().zip(&self.results) {
            match outcome {
                Outcome::Append(Ok(stored)) => append::apply(stored, &mut memory, self.shared, &mut queued),
                Outcome::Take(Ok(Some(taken))) => take::apply(taken, &mut memory, meta),
                Outcome::Lease(Ok(done)) => lease::apply(done, &mut memory),
                Outcome::Settle(Ok(done)) => settlement::apply(done, &mut memory),
                Outcome::Stand => {
                    if let Operation::Stand { endpoint, standing, .. } = operation {
                        settlement::apply_standing(endpoint.0, standing, &mut memory);
                    }
                }
                Outcome::Append(Err(_)) | Outcome::Take(_) | Outcome::Lease(_) | Outcome::Settle(Err(_)) => {}
            }
        }
        let settings = self.shared.settings.load();
        append::forget(&mut memory, &settings, meta);
        take::forget(&mut memory, &settings, meta);
        drop(memory);
        for (operation, outcome) in self.operations.into_iter().zip(self.results) {
            // A receiver that is gone: an append is stored all the same, a page stays unconfirmed.
            match (operation, outcome) {
                (Operation::Append { reply, .. }, Outcome::Append(result)) => {
                    let _ = reply.send(result.map(|stored| stored.receipts));
                }
                (Operation::Take { reply, .. }, Outcome::Take(result)) => {
                    let _ = reply.send(result.map(|taken| taken.map(|taken| Unread::new(taken, self.shared))));
                }
                (Operation::Lease { reply, .. }, Outcome::Lease(result)) => {
                    let _ = reply.send(result.map(|done| lease::Answer::new(done, self.shared)));
                }
                (Operation::Settle { reply, .. }, Outcome::Settle(result)) => {
                    let _ = reply.send(result.map(|done| done.settled));
                }
                (Operation::Stand { reply, .. }, Outcome::Stand) => {
                    let _ = reply.send(Ok(()));
                }
                _ => {}
            }
        }
    }

    fn failed(self, error: &StoreError) {
        for operation in self.operations {
            match operation {
                Operation::Append { reply, .. } => {
                    let _ = reply.send(Err(AppendError::Store(error.clone())));
                }
                Operation::Take { reply, .. } => {
                    let _ = reply.send(Err(error.clone()));
                }
                Operation::Lease { reply, .. } => {
                    let _ = reply.send(Err(error.clone()));
                }
                Operation::Settle { reply, .. } => {
                    let _ = reply.send(Err(error.clone()));
                }
                Operation::Stand { reply, .. } => {
                    let _ = reply.send(Err(error.clone()));
                }
                _ => {}
            }
        }
    }
}

/// An append that was refused is its own caller's matter; one that failed below is everybody's.
fn fatal(result: Result<Stored, AppendError>) -> Result<Result<Stored, AppendError>, StoreError> {
    match result {
        Err(AppendError::Store(error @ (StoreError::Unavailable { .. } | StoreError::Closed))) => Err(error),
        other => Ok(other),
    }
}
