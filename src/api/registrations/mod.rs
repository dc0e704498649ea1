//! The registrations contract: WEBHOOK and EMAIL registrations of integrators (contracts/registrations.md).

mod settings;

pub use self::settings::{Proof, RegistrationsSettings};
