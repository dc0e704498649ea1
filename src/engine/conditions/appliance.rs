//! What is the matter with the appliance itself: its disk and its clock.

use serde_json::{Map, json};

use super::finding::{Finding, Key, Repeat};
use crate::base::clock::Timestamp;
use crate::model::condition::Condition;
use crate::store::{ClockDoubt, Room, Store};

/// What is the matter with the disk and the clock.
pub(super) fn find(store: &dyn Store) -> Vec<Finding> {
    let disk = Some(store.room()).filter(|room| room.low).map(of_disk);
    disk.into_iter().chain(store.clock_doubt().map(of_clock)).collect()
}

fn of_disk(room: Room) -> Finding {
    finding(
        Condition::DiskLow,
        "data-file",
        None,
        format!(
            "The disk is nearly full: {room}. Publishing is refused (507), while polls, deliveries and expiry go on."
        ),
        "Make room on the volume of the data file. Publishing is taken again once there is twice the reserve.",
        [("bytes", json!(room.bytes)), ("reserve", json!(room.reserve))],
    )
}

fn of_clock(doubt: ClockDoubt) -> Finding {
    let ClockDoubt { wall, ledger, since, cause: _ } = doubt;
    finding(
        Condition::Clock,
        "wall-clock",
        Some(since),
        format!("The machine's clock is in doubt: {doubt}. What looks expired by it is withheld, and nothing is lost."),
        "Set the machine's clock right. If it is right: `tidings clock accept`.",
        [("wall", json!(wall.to_rfc3339_millis())), ("ledger", json!(ledger.to_rfc3339_millis()))],
    )
}

fn finding<const N: usize>(
    condition: Condition,
    subject: &str,
    since: Option<Timestamp>,
    detail: String,
    what_to_do: &str,
    facts: [(&str, serde_json::Value); N],
) -> Finding {
    Finding {
        condition,
        key: Key::Other(subject.to_owned()),
        since,
        repeat: Repeat::Daily,
        detail,
        what_to_do: what_to_do.to_owned(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Map<_, _>>(),
        mark: None,
    }
}
