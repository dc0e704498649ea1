//! The audit trail: one JSON line for each token, each refusal and each change, chained by hashes.
//!
//! Each line holds the SHA-256 of the bytes of the line before it (without its line end), so that a line that was
//! changed, taken out, put in or moved shows ([`verify`]). The chain has no key: who may write the file can make a new
//! one from any line on. What protects against that is a copy elsewhere, or the head that [`HeadFile`] keeps in the data
//! folder. Promises:
//!
//! - What is written never depends on the log's level, and never holds a secret or a payload: entries are made of
//!   names, ids, addresses and our own words, each cut to a bounded length and with control characters escaped.
//! - [`Trail::record`] returns when the line is with the kernel: it outlives `kill -9`. Lines are flushed to the disk
//!   [`SYNC_AFTER`] later at most, which is what a power cut can take.
//! - Nobody waits for longer than [`WAIT`], and memory is bounded. While the output cannot be written, lines wait in a
//!   queue; where that is full too, they are counted as lost, shown in readiness and metrics, and the next line that can
//!   be written says how many there were.
//! - Refusals of one kind, caller and address within a second are one line with the exact count, and more than a
//!   hundred kinds in a second fall into one for all the rest: a flood is neither amplified nor in the way of others.
//! - The chain goes on over restarts, rotation and a crash; what a run cannot know of the one before, its first line says.
//!
//! Not here: what is worth a line (`http`, `app`, the contracts), and reading a trail for anything but its chain.

mod chain;
mod crowd;
mod entry;
mod file;
mod head;
mod line;
mod open;
mod queue;
mod sink;
mod trail;
mod verify;
mod writer;

pub use chain::Head;
pub use entry::{Actor, Address, Entry, Outcome};
pub use head::{HeadFile, Known};
pub use open::{OpenError, Opening, Output};
pub use queue::WAIT;
pub use sink::{Short, Sink};
pub use trail::{Keeper, Trail};
pub use verify::{Finding, Mark, Report, verify};
pub use writer::SYNC_AFTER;
