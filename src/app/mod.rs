//! Wiring and life cycle: the parts of the house put together, begun in order and stopped in reverse.
//!
//! [`start`] is all that the program and the tests need: an appliance of its settings, on the addresses that they name
//! (port 0 takes any), as often in one process as there are data folders. It installs nothing global; [`log`] does, for
//! the program alone.

mod admin;
mod channels;
mod condition;
mod contracts;
mod data_dir;
mod error;
mod figures;
pub mod log;
mod running;
mod sample;
mod start;
mod stopping;
mod watch;

pub use data_dir::data_file;
pub use error::StartError;
pub use running::{Running, Served, SignalLog};
pub use start::{Parts, start};
