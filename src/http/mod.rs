//! The wire under the contracts: listeners, routing, bodies, authentication, limits, drain. Knows no contract.

pub mod contract;
pub mod settings;
