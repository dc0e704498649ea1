//! The trail as all parts of the house see it.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::entry::Entry;
use super::open::{self, Begun, OpenError, Opening};
use super::queue::{Ending, Queue, WAIT};
use super::sink::Sink;
use super::writer::Writer;
use crate::base::clock::Clock;

/// How long a writer that is to end at once may take.
const BREAK_OFF: Duration = Duration::from_secs(1);
/// The same for one that is stopped in order.
const CLOSE: Duration = Duration::from_secs(5);

/// Takes what happened. Clones share it.
///
/// Until [`Trail::open`] lines wait in memory.
#[derive(Clone)]
pub struct Trail(Option<Arc<Queue>>);

impl Trail {
    /// A trail without an output yet; `clock` stamps the lines.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Some(Arc::new(Queue::new(clock))))
    }

    /// A trail that takes nothing, for servers that are not audited.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Opens the output and writes the first line. Blocks for up to some seconds. Only one output can be opened.
    pub fn open(&self, opening: &Opening<'_>) -> Result<Keeper, OpenError> {
        let Some(queue) = &self.0 else { return Ok(Keeper(None)) };
        let Begun { sink, head_file, head, first } = open::open(opening)?;
        begin(queue, Writer::new(Arc::clone(queue), sink, head_file, head), first)
    }

    /// The same with another output.
    pub fn open_on(&self, sink: Box<dyn Sink>, opening: &Opening<'_>) -> Result<Keeper, OpenError> {
        let Some(queue) = &self.0 else { return Ok(Keeper(None)) };
        let (head_file, known) = open::open_head(opening.data_dir)?;
        let (head, first) = open::go_on(known, super::file::Tail::default());
        let first = first.with("version", opening.version);
        begin(queue, Writer::new(Arc::clone(queue), sink, head_file, head), first)
    }

    /// Takes an entry, and resolves when its line is with the kernel: it outlives the process. Nobody waits for longer
    /// than twice [`WAIT`], and not at all while the output cannot be written.
    pub async fn record(&self, entry: Entry) {
        self.record_all([entry]).await;
    }

    /// The same for several, in their order.
    pub async fn record_all(&self, entries: impl IntoIterator<Item = Entry>) {
        let Some(queue) = &self.0 else { return };
        let mut last = None;
        for entry in entries {
            last = queue.push(entry).await;
        }
        if let Some(written) = last {
            // Neither a writer that gave up nor one that is slow is the caller's concern: both show elsewhere.
            let _ = tokio::time::timeout(WAIT, written).await;
        }
    }

    /// Takes an entry without waiting for anything.
    pub fn note(&self, entry: Entry) {
        if let Some(queue) = &self.0 {
            queue.push_now(entry);
        }
    }

    /// Takes a refusal without waiting. Alike ones within a second become one line, with the object and the request of
    /// the first.
    pub fn refused(&self, entry: Entry) {
        if let Some(queue) = &self.0 {
            queue.refused(entry);
        }
    }

    /// What is wrong with the output now, for people; `None`: nothing.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|queue| queue.trouble())
    }

    /// How many lines were lost since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |queue| queue.lost.get())
    }

    /// Puts what it counts into `registry`, under full names.
    pub fn register(&self, registry: &mut Registry) {
        let Some(queue) = &self.0 else { return };
        let lines = "Lines of the audit trail written, since the start";
        registry.register("tidings_audit_lines", lines, queue.lines.clone());
        let lost = "Lines of the audit trail that could not be written and are lost, since the start";
        registry.register("tidings_audit_lost", lost, queue.lost.clone());
    }
}

fn begin(queue: &Arc<Queue>, writer: Writer, first: Entry) -> Result<Keeper, OpenError> {
    queue.begin(first);
    let ended = Ended(Arc::clone(queue));
    let thread = std::thread::Builder::new().name("audit".to_owned());
    // The output and the head are let go before anybody is told that they are.
    let work = move || {
        let _ended = ended;
        writer.run();
    };
    thread.spawn(work).map(|_| Keeper(Some(Arc::clone(queue)))).map_err(OpenError::Thread)
}

/// Tells that nothing is written any more, however that comes about.
struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Keeps the output open. Dropped, it ends the run at once, without a last line: what waits is still written, if that
/// takes no longer than a second.
#[must_use]
pub struct Keeper(Option<Arc<Queue>>);

impl Keeper {
    /// Writes what waits and the last line, and lets the output go. Blocks; an error says what was not done.
    pub fn close(mut self) -> Result<(), String> {
        match self.0.take() {
            Some(queue) if !queue.finish(Ending::Stopped, CLOSE) => {
                Err(format!("the audit trail's last lines were not written within {CLOSE:?}"))
            }
            Some(queue) => match queue.trouble() {
                Some(trouble) => Err(format!("the audit trail's last lines could not be written: {trouble}")),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            // There is nobody left to tell if that does not suffice.
            let _ = queue.finish(Ending::BrokenOff, BREAK_OFF);
        }
    }
}
