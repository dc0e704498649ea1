//! The thread that writes: it alone knows the head of the chain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chain::Head;
use super::entry::{Actor, Entry, Outcome};
use super::head::HeadFile;
use super::line::{self, LOST, STOP};
use super::queue::{Ending, Queue, Queued, Work};
use super::sink::{Short, Sink, rest};

/// How long what was written may stay with the kernel before it is brought to the disk.
pub const SYNC_AFTER: Duration = Duration::from_secs(1);

/// How long an output that cannot be written is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lines that are part of the chain and on their way to the output.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// How many lines.
    lines: u64,
    /// Who waits for them.
    waiting: Vec<Queued>,
}

/// The writer of one run.
pub(super) struct Writer {
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    head_file: HeadFile,
    head: Head,
    batch: Batch,
    /// When what was written is brought to the disk.
    sync_at: Option<Instant>,
    stopped: bool,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, sink: Box<dyn Sink>, head_file: HeadFile, head: Head) -> Self {
        Self { queue, sink, head_file, head, batch: Batch::default(), sync_at: None, stopped: false }
    }

    /// Writes until it is to end.
    pub(super) fn run(mut self) {
        // From here on this run is one that has not stopped. If it cannot be noted, the first line's turn says so.
        let _ = self.head_file.note(self.head, false);
        let ending = loop {
            if self.batch.bytes.is_empty() {
                match self.queue.work(self.sync_at) {
                    Work::Lines(lines) => self.compose(lines),
                    Work::Due => {}
                    Work::End(ending) => break ending,
                }
            } else if let Some(ending) = self.queue.pause(Instant::now() + RETRY_AFTER) {
                // One more try is all that there is time for.
                self.write();
                if !self.batch.bytes.is_empty() {
                    break ending;
                }
            }
            self.write();
            if self.sync_at.is_some_and(|at| at <= Instant::now()) {
                self.sync();
            }
        };
        self.end(ending);
    }

    fn compose(&mut self, lines: Vec<Queued>) {
        for queued in lines {
            self.head = line::append(&mut self.batch.bytes, self.head, &queued.stamped);
            self.batch.lines += 1;
            if queued.written.is_some() {
                self.batch.waiting.push(queued);
            }
        }
        self.own_up();
    }

    /// Says how many lines were lost, if any were.
    fn own_up(&mut self) {
        let Some(lost) = self.queue.take_lost() else { return };
        let entry = Entry::new(LOST, Outcome::Failed).by(Actor::Appliance).with("count", lost.count);
        self.say(entry.with("from", lost.first.to_rfc3339_millis()).with("to", lost.last.to_rfc3339_millis()));
    }

    /// Adds a line of the appliance's own.
    fn say(&mut self, entry: Entry) {
        self.head = line::append(&mut self.batch.bytes, self.head, &self.queue.stamp(entry));
        self.batch.lines += 1;
    }

    /// Writes what there is. What cannot be is kept and tried again; nobody waits for it any longer.
    fn write(&mut self) {
        if self.batch.bytes.is_empty() {
            return;
        }
        let written = self.sink.prepare().map_err(|error| Short { taken: 0, error });
        match written.and_then(|()| self.sink.write(&self.batch.bytes)) {
            Ok(()) => self.written(),
            Err(Short { taken, error }) => {
                self.tell(Some(error.to_string()));
                // Who waits is let go: the trouble is known by now.
                self.keep(taken);
            }
        }
    }

    /// Keeps what is left after `taken` bytes.
    fn keep(&mut self, taken: usize) {
        let left = rest(&self.batch.bytes, taken);
        let closed_off = u64::from(left.first() == Some(&b'\n'));
        let lines = left.split(|b| *b == b'\n').count() as u64 - 1 - closed_off;
        self.queue.lines.inc_by(self.batch.lines.saturating_sub(lines));
        self.batch = Batch { bytes: left, lines, waiting: Vec::new() };
    }

    fn written(&mut self) {
        let Batch { lines, waiting, .. } = std::mem::take(&mut self.batch);
        let noted = self.head_file.note(self.head, self.stopped);
        for told in waiting.into_iter().filter_map(|queued| queued.written) {
            // Who does not wait any more need not know.
            let _ = told.send(());
        }
        self.queue.lines.inc_by(lines);
        self.sync_at.get_or_insert_with(|| Instant::now() + SYNC_AFTER);
        self.tell(noted.err().map(|error| format!("the head of the chain cannot be noted: {error}")));
    }

    fn sync(&mut self) {
        self.sync_at = None;
        let synced = self.sink.sync().and_then(|()| self.head_file.sync());
        if let Err(error) = synced {
            self.tell(Some(format!("what was written cannot be brought to the disk: {error}")));
        }
    }

    fn tell(&self, trouble: Option<String>) {
        let detail = trouble.clone();
        match (self.queue.set_trouble(trouble), detail) {
            (true, Some(trouble)) => tracing::error!(
                trouble,
                "the audit trail cannot be written; its lines wait, and what is beyond their room is lost"
            ),
            (true, None) => tracing::warn!("the audit trail is written again"),
            (false, _) => {}
        }
    }

    fn end(mut self, ending: Ending) {
        if self.batch.bytes.is_empty() && ending == Ending::Stopped {
            self.stopped = true;
            self.own_up();
            self.say(Entry::new(STOP, Outcome::Ok).by(Actor::Appliance));
            self.write();
        }
        let lines = self.batch.lines;
        if lines > 0 {
            self.queue.lost.inc_by(lines);
            tracing::error!(lines, "lines of the audit trail are lost: they could not be written before the end");
        }
        self.sync();
    }
}
