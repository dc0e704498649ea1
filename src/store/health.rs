//! What needs a person: a wall clock in doubt, too little room.

use std::fmt;

use crate::base::clock::Timestamp;
use crate::base::timekeeper::Cause;

/// How much room the store has to write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free on the data file's volume or reusable inside the file, less what polls of all that waits may
    /// need; reckoned from below.
    pub bytes: u64,
    /// `limits.disk_reserve`; 0 where there is none.
    pub reserve: u64,
    /// Whether appends are refused: from less than the reserve on until there is twice as much.
    pub low: bool,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        write!(
            f,
            "{} MiB of room are left, the reserve (limits.disk_reserve) is {} MiB",
            mib(self.bytes),
            mib(self.reserve)
        )
    }
}

/// The wall clock is in doubt: the ledger's time goes on by the monotonic clock, and what looks expired by the wall clock
/// is withheld, but neither ended nor deleted (design.md, promise 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDoubt {
    /// The wall time now.
    pub wall: Timestamp,
    /// The ledger's time now.
    pub ledger: Timestamp,
    /// The ledger's time when the doubt arose.
    pub since: Timestamp,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, ledger, since: _, cause } = self;
        let (wall, ledger) = (wall.to_rfc3339_seconds(), ledger.to_rfc3339_seconds());
        write!(f, "the wall clock shows {wall}, the ledger {ledger}: {cause}")
    }
}
