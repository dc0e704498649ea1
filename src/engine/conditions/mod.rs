//! Conditions as events: what needs a person is told as events of built-in types ([`Condition`]), matched, stored and
//! sent like any other; who subscribes to them, such as the operator by mail, is told.
//!
//! - A condition is told when it begins, once a day while it lasts, and when it ends; a secret that ends soon 30, 7 and 1
//!   days before. What is told has an identity (type, subject, since when, which time), so that neither a restart nor a
//!   crash between storing the event and noting that it is told leads to another one ([`course`](self::course)).
//! - They are found by looking, every few seconds, at what the store and the files say ([`watch`](self::watch)): nothing
//!   that holds or sends waits for it, and what began or ended while the appliance was down is told after its start. Only
//!   a relay that is down is known by what delivery says ([`DownTargets`]).
//! - What is told of a subscription goes to its contacts too.
//! - No chain: what becomes of notifications (expired, too many, not polled) is not told of a subscription that wants
//!   events of these types. Its own news would keep that condition up for ever.
//!
//! Not here: what a mail looks like, and who wants it.

mod appliance;
mod course;
mod down;
mod endpoints;
mod expiry;
mod files;
mod finding;
mod kept;
mod queues;
mod telling;
mod watch;

pub use self::down::DownTargets;
pub use self::expiry::Expiry;
pub use self::files::RefusedFiles;
pub use self::watch::{ConditionParts, ConditionWatch};
#[cfg(doc)]
use crate::model::condition::Condition;
