//! Wiring and life cycle: the parts of the house put together, begun in order and stopped in reverse.
//!
//! [`start`] is all that the program and the tests need: an appliance of its settings, on the addresses that they name
//! (port 0 takes any), as often in one process as there are data folders. It installs nothing global; [`log`] does, for
//! the program alone.

mod admin;
mod board;
mod channels;
mod condition;
mod configured;
mod contracts;
mod data_dir;
mod error;
mod figures;
mod file_watch;
pub mod last_good;
pub mod log;
mod reload;
mod report;
mod running;
mod sample;
mod start;
mod stopping;
mod watch;
mod works;

pub use board::Trigger;
pub use configured::{Configured, Files};
pub use data_dir::{data_file, survey};
pub use error::StartError;
pub use reload::Reloads;
pub use report::{plan, problem};
pub use running::{Running, Served, SignalLog};
pub use start::{Parts, start};
