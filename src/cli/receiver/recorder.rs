//! What has arrived so far: numbered, verified, printed.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::arrival::{Arrival, Judged};
use super::behaviour::{Behaviour, Course};
use super::keys::Key;
use super::signature::{Finding, check};
use crate::base::stop::Stop;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, Taken};

/// How many ids are remembered, the newest ones.
const MAX_IDS: usize = 100_000;

/// How what arrives is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printing {
    Text,
    Json,
    Nothing,
}

/// Takes note of what arrives.
pub(super) struct Recorder {
    keys: Vec<Key>,
    printing: Printing,
    /// After how many it is enough.
    count: Option<u64>,
    state: Mutex<State>,
    any_wrong: AtomicBool,
    /// Given once there is nothing more to do: enough have come, or nobody reads what is printed.
    enough: Stop,
}

#[derive(Default)]
struct State {
    arrived: u64,
    seen: HashMap<String, u32>,
    order: VecDeque<String>,
    failure: Option<Failure>,
}

impl Recorder {
    pub(super) fn new(keys: Vec<Key>, printing: Printing, count: Option<u64>) -> Self {
        Self { keys, printing, count, state: Mutex::default(), any_wrong: AtomicBool::new(false), enough: Stop::new() }
    }

    /// Takes note of a message, prints it, and says what becomes of it; `None`: no more are taken.
    pub(super) fn record(&self, arrival: &Arrival, behaviour: &Behaviour) -> Option<Course> {
        let finding = check(&arrival.headers, &arrival.body, &self.keys, arrival.at);
        let wrong = matches!(finding, Finding::Wrong(_));
        // Under the lock, so that messages are printed whole and in the order of their numbers.
        let mut state = self.state.lock();
        if self.count.is_some_and(|count| state.arrived >= count) {
            return None;
        }
        state.arrived += 1;
        let seen = arrival.id().map(|id| state.see(id));
        let course = behaviour.course(state.arrived, !wrong);
        let judged = Judged { arrival, finding: &finding, seen, course };
        match self.print(&judged) {
            Ok(Taken::Yes) => {}
            Ok(Taken::No) => self.enough.stop(),
            Err(failure) => {
                state.failure = Some(failure);
                self.enough.stop();
            }
        }
        if wrong {
            self.any_wrong.store(true, Ordering::Relaxed);
        }
        if self.count.is_some_and(|count| state.arrived >= count) {
            self.enough.stop();
        }
        Some(course)
    }

    fn print(&self, judged: &Judged<'_>) -> Result<Taken, Failure> {
        match self.printing {
            Printing::Text => output::result_taken(&output::printable(&judged.as_text())),
            Printing::Json => output::result_taken(&judged.as_json()),
            Printing::Nothing => Ok(Taken::Yes),
        }
    }

    /// Resolves once there is nothing more to do.
    pub(super) async fn enough(&self) {
        self.enough.stopped().await;
    }

    /// How the command ends: where a number of messages was asked for, it is a finding that one was not signed.
    pub(super) fn end(&self) -> Result<Exit, Failure> {
        let mut state = self.state.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let complete = self.count.is_some_and(|count| state.arrived >= count);
        Ok(if complete && self.any_wrong.load(Ordering::Relaxed) { Exit::Finding } else { Exit::Ok })
    }
}

impl State {
    /// Counts one more of this id; answers how many there have been.
    fn see(&mut self, id: String) -> u32 {
        if let Some(times) = self.seen.get_mut(&id) {
            *times = times.saturating_add(1);
            return *times;
        }
        if self.order.len() == MAX_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.seen.insert(id, 1);
        1
    }
}
