//! Poll clients that drain their queues beside a load.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::connection::{Connection, request};
use crate::requests::MARK;
use crate::stage::Stage;

/// What a poll asks for: the most that there is.
const PAGE: u64 = 1000;
/// How long a client waits after a page that was not full. One that polls an empty queue as fast as it can would only
/// measure itself.
const PAUSE: Duration = Duration::from_millis(5);

/// One poll client of one subscription.
#[derive(Debug)]
pub(crate) struct Consumer {
    connection: Connection,
    poll: Vec<u8>,
}

impl Consumer {
    /// A client of `subscription`.
    pub(crate) fn new(stage: &Stage, subscription: &str) -> io::Result<Self> {
        let target = format!("/notification/v1/subscriptions/{subscription}/notifications?size={PAGE}");
        let poll = request("GET", &target, &[("authorization", &stage.token)], b"");
        Ok(Self { connection: stage.connect()?, poll })
    }

    /// Polls until a page is empty after `published` has become true; answers how many notifications there were.
    pub(crate) fn drain(&mut self, published: &AtomicBool) -> io::Result<u64> {
        let mut consumed = 0;
        loop {
            let last = published.load(Ordering::SeqCst);
            let page = self.connection.exchange(&self.poll)?.expect_status(200)?;
            let results = count(&page.body);
            consumed += results;
            if results == 0 && last {
                return Ok(consumed);
            }
            if results < PAGE && !last {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// How many results a page has. Parsing it would cost more than making it.
#[allow(clippy::naive_bytecount, reason = "a few MiB a second: not worth a crate")]
fn count(page: &[u8]) -> u64 {
    page.iter().filter(|&&byte| byte == MARK).count() as u64
}
