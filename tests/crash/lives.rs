//! The lives of the process, as the workers see them: where it listens, and whether it has been struck down.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long a restart may keep the workers waiting.
const PATIENCE: Duration = Duration::from_mins(1);

/// One life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// Where it listens.
    pub(crate) api: SocketAddr,
}

#[derive(Debug, Default)]
struct State {
    lives: u32,
    api: Option<SocketAddr>,
    over: bool,
}

/// Tells the workers when to begin, when to begin again, and when to end.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    state: Mutex<State>,
    changed: Condvar,
}

impl Lives {
    /// A new life is ready for the workers.
    pub(crate) fn begin(&self, api: SocketAddr) {
        let mut state = self.state.lock();
        state.lives += 1;
        state.api = Some(api);
        self.changed.notify_all();
    }

    /// The life is about to be ended. Said before the kill, so that what it breaks is not held against the appliance.
    pub(crate) fn strike(&self) {
        self.state.lock().api = None;
    }

    /// No more kills and no more new work; what is in doubt can still be settled.
    pub(crate) fn finish(&self) {
        self.state.lock().over = true;
        self.changed.notify_all();
    }

    /// Whether the work is over.
    pub(crate) fn over(&self) -> bool {
        self.state.lock().over
    }

    /// The life that is going on, or the next one.
    pub(crate) fn next(&self) -> io::Result<Life> {
        let mut state = self.state.lock();
        loop {
            if let Some(api) = state.api {
                return Ok(Life { number: state.lives, api });
            }
            // Once the work is over no further life comes.
            if state.over || self.changed.wait_for(&mut state, PATIENCE).timed_out() {
                return Err(io::Error::other("no new life came"));
            }
        }
    }

    /// Nothing if `error` is what a kill does to who talks with `life`, else the error: nobody else may break it off.
    pub(crate) fn excuse(&self, life: Life, error: &io::Error) -> io::Result<()> {
        let state = self.state.lock();
        let struck = state.api.is_none() || state.lives != life.number;
        if struck { Ok(()) } else { Err(io::Error::other(format!("in life {}, not killed: {error}", life.number))) }
    }
}
