//! The real binary as a child process, and a plain client to talk to it.
//!
//! Shared by what drives the appliance from outside: `tests/crash` and the benchmark in `tests/bench`. A [`site::Site`]
//! is a folder with a configuration and the data; an [`appliance::Appliance`] is one life of the process on it. Every
//! wait in here is bounded, and no child outlives the value that stands for it.

// Each of the programs that include this module uses its own part of it.
#![allow(dead_code)]

pub(crate) mod appliance;
pub(crate) mod connection;
pub(crate) mod frame;
pub(crate) mod metrics;
pub(crate) mod site;
pub(crate) mod token;
