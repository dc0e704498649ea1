//! What stands between those who have something to say and the one thread that writes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Semaphore, oneshot};

use super::crowd::Crowd;
use super::entry::Entry;
use super::line::Stamped;
use crate::base::clock::{Clock, Timestamp};

/// How long a caller waits for room, and for its line to be written.
pub const WAIT: Duration = Duration::from_secs(1);

/// The most lines that wait.
pub(super) const ROOM: usize = 4096;

/// The most lines that are written at once.
const BATCH: usize = 256;

/// A line that waits, and who is told when it has been written.
pub(super) struct Queued {
    pub(super) stamped: Stamped,
    pub(super) written: Option<oneshot::Sender<()>>,
    /// Whether it takes up room; what the queue says itself does not.
    takes_room: bool,
}

/// Lines that are never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Lost {
    fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// How the writer is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a last line.
    Stopped,
    /// Without: the process goes at once.
    BrokenOff,
}

/// What the writer is to do.
pub(super) enum Work {
    /// Write these.
    Lines(Vec<Queued>),
    /// The time has come that it was to be woken at.
    Due,
    /// All is written: end.
    End(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no output yet: lines wait.
    Holding,
    Writing,
    Ended,
}

struct State {
    phase: Phase,
    queue: VecDeque<Queued>,
    crowd: Crowd,
    lost: Option<Lost>,
    ending: Option<Ending>,
    trouble: Option<String>,
}

/// The queue, shared by all.
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
    room: Semaphore,
    clock: Arc<dyn Clock>,
    pub(super) lines: Counter,
    pub(super) lost: Counter,
}

impl Queue {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            phase: Phase::Holding,
            queue: VecDeque::new(),
            crowd: Crowd::default(),
            lost: None,
            ending: None,
            trouble: None,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            done: Condvar::new(),
            room: Semaphore::new(ROOM),
            clock,
            lines: Counter::default(),
            lost: Counter::default(),
        }
    }

    pub(super) fn stamp(&self, entry: Entry) -> Stamped {
        Stamped { entry, time: self.clock.now(), repeats: None }
    }

    /// Puts `entry` into the queue once there is room; what tells that it has been written, if that may be waited for.
    /// An entry for which there is no room in time is lost, also if the caller does not wait for that.
    pub(super) async fn push(&self, entry: Entry) -> Option<oneshot::Receiver<()>> {
        let mut owed = Owed { queue: self, stamped: Some(self.stamp(entry)) };
        let room = match self.room.try_acquire() {
            Ok(room) => room,
            Err(_) if self.is_stuck() => return None,
            Err(_) => tokio::time::timeout(WAIT, self.room.acquire()).await.ok()?.ok()?,
        };
        room.forget();
        let stamped = owed.stamped.take()?;
        let (told, written) = oneshot::channel();
        self.add(Queued { stamped, written: Some(told), takes_room: true }).then_some(written)
    }

    /// The same without waiting.
    pub(super) fn push_now(&self, entry: Entry) {
        let stamped = self.stamp(entry);
        match self.room.try_acquire() {
            Ok(room) => {
                room.forget();
                self.add(Queued { stamped, written: None, takes_room: true });
            }
            Err(_) => self.lose(&stamped),
        }
    }

    /// Whether it will be written soon.
    fn add(&self, queued: Queued) -> bool {
        let mut state = self.state.lock();
        if state.phase == Phase::Ended {
            drop(state);
            self.lose(&queued.stamped);
            return false;
        }
        state.queue.push_back(queued);
        self.work.notify_one();
        state.phase == Phase::Writing && state.trouble.is_none()
    }

    /// Adds a refusal to those of this second.
    pub(super) fn refused(&self, entry: Entry) {
        let time = self.clock.now();
        let mut state = self.state.lock();
        if state.phase == Phase::Ended {
            drop(state);
            self.lose(&Stamped { entry, time, repeats: None });
        } else if state.crowd.add(entry, time, Instant::now()) {
            self.work.notify_one();
        }
    }

    fn lose(&self, stamped: &Stamped) {
        let count = stamped.repeats.map_or(1, |repeats| repeats.count);
        let until = stamped.repeats.map_or(stamped.time, |repeats| repeats.last);
        let lost = Lost { count, first: stamped.time, last: until };
        self.lost.inc_by(count);
        let mut state = self.state.lock();
        state.lost = Some(state.lost.map_or(lost, |before| before.and(lost)));
    }

    /// Nothing can be written now, or nobody writes: waiting for room would be in vain.
    fn is_stuck(&self) -> bool {
        let state = self.state.lock();
        state.phase != Phase::Writing || state.trouble.is_some()
    }

    /// What is wrong with the output now.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state.lock();
        let behind = || format!("{} lines wait to be written: the output is too slow", state.queue.len());
        state.trouble.clone().or_else(|| (state.queue.len() >= ROOM).then(behind))
    }

    // What follows is the writer's side.

    /// Lines are written from now on, `first` before all others.
    pub(super) fn begin(&self, first: Entry) {
        let stamped = self.stamp(first);
        let mut state = self.state.lock();
        state.phase = Phase::Writing;
        state.queue.push_front(Queued { stamped, written: None, takes_room: false });
    }

    /// Waits for something to do, until `due` at most.
    pub(super) fn work(&self, due: Option<Instant>) -> Work {
        let mut state = self.state.lock();
        loop {
            Self::gather(&mut state);
            if !state.queue.is_empty() {
                let count = state.queue.len().min(BATCH);
                let lines: Vec<_> = state.queue.drain(..count).collect();
                self.room.add_permits(lines.iter().filter(|queued| queued.takes_room).count());
                return Work::Lines(lines);
            }
            if let Some(ending) = state.ending {
                return Work::End(ending);
            }
            let wake = [state.crowd.due(), due].into_iter().flatten().min();
            if due.is_some_and(|due| due <= Instant::now()) {
                return Work::Due;
            }
            self.wait(&mut state, wake);
        }
    }

    /// Waits until `until`, or until it is to end.
    pub(super) fn pause(&self, until: Instant) -> Option<Ending> {
        let mut state = self.state.lock();
        while state.ending.is_none() && Instant::now() < until {
            self.wait(&mut state, Some(until));
        }
        state.ending
    }

    fn wait(&self, state: &mut parking_lot::MutexGuard<'_, State>, until: Option<Instant>) {
        match until {
            Some(until) => drop(self.work.wait_until(state, until)),
            None => self.work.wait(state),
        }
    }

    /// Refusals whose second is over become lines.
    fn gather(state: &mut State) {
        let over = state.ending.is_some() || state.crowd.due().is_some_and(|due| due <= Instant::now());
        if over {
            // They are few by themselves.
            let lines = state.crowd.take().into_iter();
            state.queue.extend(lines.map(|stamped| Queued { stamped, written: None, takes_room: false }));
        }
    }

    /// What was lost since this was asked last.
    pub(super) fn take_lost(&self) -> Option<Lost> {
        self.state.lock().lost.take()
    }

    /// Whether the output works; `true` if that is new.
    pub(super) fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut state = self.state.lock();
        let new = state.trouble.is_some() != trouble.is_some();
        state.trouble = trouble;
        new
    }

    /// Nothing is written any more; what waits is lost.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Ended;
        if state.ending.is_none() {
            state.trouble.get_or_insert("its writer has ended by itself; the log has more".to_owned());
        }
        let queue = std::mem::take(&mut state.queue);
        let crowd = state.crowd.take();
        drop(state);
        self.room.close();
        queue.iter().map(|queued| &queued.stamped).chain(&crowd).for_each(|stamped| self.lose(stamped));
        self.done.notify_all();
    }

    /// Asks the writer to end, and waits for it; whether it has within `limit`.
    pub(super) fn finish(&self, ending: Ending, limit: Duration) -> bool {
        let mut state = self.state.lock();
        state.ending.get_or_insert(ending);
        self.work.notify_one();
        let deadline = Instant::now() + limit;
        while state.phase != Phase::Ended && Instant::now() < deadline {
            let _ = self.done.wait_until(&mut state, deadline);
        }
        state.phase == Phase::Ended
    }
}

/// An entry that is lost if it does not get into the queue.
struct Owed<'q> {
    queue: &'q Queue,
    stamped: Option<Stamped>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(stamped) = self.stamped.take() {
            self.queue.lose(&stamped);
        }
    }
}
