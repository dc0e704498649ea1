//! The operator half (contracts/events.md, "Look and act"): look at everything and act on it, whoever it belongs to.
//!
//! Who may do that has been decided before. Nothing here is hidden for belonging to another client or contract, and
//! nothing is unbounded: a list reads what one look of the store reads, and what acts on many works through a bounded
//! number of them, says how far it has come, and can be asked to go on from there.

mod act;
mod bulk;
mod endpoints;
mod look;
mod next;
mod subscriptions;
mod suppressions;
mod why;

pub use self::act::ActError;
pub use self::bulk::{Bulk, BulkAction, BulkDone, BulkError, MAX_BULK};
pub use self::endpoints::EndpointView;
pub use self::look::{EventReport, Filter, StoryReport};
pub use self::next::Next;
pub use self::subscriptions::{Chosen, PurgeError, SubscriptionFilter, SubscriptionReport};
pub use self::suppressions::Suppressed;
pub use self::why::Why;
