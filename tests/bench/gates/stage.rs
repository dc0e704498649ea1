//! A running appliance on an empty site, ready to be measured.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::load::{Load, Served};
use crate::process::appliance::Appliance;
use crate::process::connection::Connection;
use crate::process::site::{CLIENT, Declared, SECRET, Site};
use crate::process::token::bearer;
use crate::requests::{Publishing, batch};
use crate::secure;

/// The longest start that is waited for.
pub(crate) const START: Duration = Duration::from_mins(2);
/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 64;
/// How long a load runs before it is measured.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);
/// Events of a batch that fills the store.
const BATCH: u64 = 1000;

/// Limits that no measurement runs into; all else is as it comes.
pub(crate) const ROOM: &str = "[limits]\nqueue_depth = 20000000\nqueue_total = 50000000\n";

/// A running appliance.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The process.
    pub(crate) appliance: Appliance,
    /// The value of its client's `Authorization` header.
    pub(crate) token: String,
    /// Whether it speaks TLS.
    secure: bool,
    /// The number of the next event, so that each has an id of its own.
    next_event: u64,
    // Dropped last: the folder goes when nobody writes to it any more.
    /// Its folder.
    pub(crate) site: Site,
}

impl Stage {
    /// Starts one on a new site under `dir`.
    pub(crate) fn set(dir: &Path, mut declared: Declared) -> io::Result<Self> {
        declared.further.push_str(ROOM);
        let site = Site::new(dir, declared)?;
        let appliance = Appliance::start(&site, START)?;
        let token = bearer(appliance.addresses.api, CLIENT, SECRET)?;
        Ok(Self { appliance, token, secure: false, next_event: 1, site })
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.appliance.addresses.api)
    }

    /// The load of `connections` producers.
    pub(crate) fn load(&self, connections: usize, measured: Duration) -> Load {
        let address = self.appliance.addresses.api;
        Load { address, connections, warm_up: WARM_UP, measured, status: 202, secure: self.secure }
    }

    /// Where the events of a load come from.
    pub(crate) fn publishing(&mut self, event_type: &str) -> Publishing {
        let first = self.next_event;
        // More than any load gets through.
        self.next_event += 1 << 40;
        Publishing::new(&self.token, event_type, first)
    }

    /// Publishes events of `event_type` from so many connections.
    pub(crate) fn publish(&mut self, event_type: &str, connections: usize, measured: Duration) -> io::Result<Served> {
        let mut source = self.publishing(event_type);
        self.load(connections, measured).run(&mut source)
    }

    /// Publishes `count` events, a multiple of a thousand, in batches.
    pub(crate) fn fill(&mut self, event_type: &str, count: u64) -> io::Result<()> {
        let mut connection = self.connect()?;
        for _ in 0..count.div_ceil(BATCH) {
            let numbers = self.next_event..self.next_event + BATCH;
            self.next_event = numbers.end;
            connection.exchange(&batch(&self.token, event_type, numbers))?.expect_status(202)?;
        }
        Ok(())
    }

    /// Starts it again at the same data, with TLS; the token stays good.
    pub(crate) fn speak_tls(&mut self) -> io::Result<()> {
        let settings = secure::settings(self.site.folder())?;
        self.site.declare(&settings);
        self.kill_and_start()?;
        self.secure = true;
        Ok(())
    }

    /// Kills it and starts it again, at the same data.
    pub(crate) fn kill_and_start(&mut self) -> io::Result<Duration> {
        self.appliance.kill()?;
        self.appliance = Appliance::spawn(&self.site)?;
        self.appliance.await_ready(START)
    }
}
