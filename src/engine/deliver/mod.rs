//! Delivery: what is sent to webhooks and addresses, when, and what is done about what comes of it.
//!
//! [`Engine::run_delivery`](super::Engine::run_delivery) is the worker. Each endpoint has a lane (`lane`), which waits
//! until the store has something due for it, gets permits (`gates`), claims no more than it has permits for, and has
//! each claimed notification attempted (`attempt`). What came of an attempt is judged (`judge`) and settled, together
//! with how the endpoint stands now (`keep`).
//!
//! - **At least once.** A claim is memory. A crash, a stop or a panic before the settlement is on disk leads to another
//!   attempt; while the store fails, the settlement is tried until it is there.
//! - **Nobody waits for another.** Lanes get permits in the order of asking, for one attempt at a time; targets that are
//!   slow have half of them together.
//! - **In time.** No attempt begins at or after the deadline. What is tried again follows a schedule (`schedule`), the
//!   receiver's `Retry-After`, and the circuit of its endpoint (`circuit`) or its target (`target`, `rest`).
//!
//! What is sent how is the channels' business, what is due the store's, and what becomes of conditions that of who listens
//! to them (`notice`).

mod attempt;
mod board;
mod circuit;
mod claim;
mod crew;
mod gates;
mod judge;
mod keep;
mod lane;
mod latency;
mod metrics;
mod notice;
mod plan;
mod rest;
mod schedule;
mod settings;
mod state;
mod target;
mod tell;
mod time;
mod work;

pub(super) use self::board::Board;
pub use self::metrics::DeliveryMetrics;
pub use self::notice::{Conditions, EndpointName, NoConditions, TargetDown};
pub use self::settings::{ChannelSettings, DeliverySettings, MAX_SCHEDULE};
pub use self::state::{EndpointReport, EndpointState, SharedReport};
pub use self::work::{Channels, Delivery};
