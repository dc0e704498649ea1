//! The registrations contract: WEBHOOK and EMAIL registrations of integrators (contracts/registrations.md).
//!
//! An adapter: [`RegistrationsContract`] turns requests into use cases of the engine, and their results into the contract's
//! JSON. A registration is a subscription with one endpoint, held by a subscriber: whoever calls for that subscriber sees
//! it. The routes stand in one table; what can go wrong stands in one enum, whose code, status and texts follow from one
//! `match`.

mod contract;
mod domains;
mod error;
mod event_types;
mod notifications;
mod openapi;
mod paging;
mod place;
mod reading;
mod registration;
mod request;
mod settings;
mod subscriber;
mod writing;

pub use self::contract::RegistrationsContract;
pub use self::openapi::document;
pub use self::settings::{Proof, RegistrationsSettings};
