//! What the files say, as a tree: for `plan`, `config show`, the digest, and the last good configuration.
//!
//! [`Effective`] has every value that counts, the built-in defaults too, and where each stands. A secret is there as the
//! files name it (`{ file = "…" }`), with a hash of what it holds, so that a changed content is a difference; so are the
//! certificates, keys of issuers and templates that the files name. The order of entries and the names of the
//! configuration files are not in it: moving an entry from one file to another changes nothing.
//!
//! - `tree`: the values; `notes`: what only the readers know of them.
//! - `flat`: the same by section, entry and field. `digest` and [`Difference`]s are made of it, so that the one changes
//!   if and only if there are some of the other.
//! - `restart`: the keys that a reload cannot change; `held_back`: what runs after one.
//! - `written`: TOML that reads back as the same. `shown`: for people, secrets masked.
//!
//! Not here: what the defaults of an absent key in an entry are, which the readers know.

mod difference;
mod flat;
mod held_back;
mod notes;
mod restart;
mod sealed;
mod shown;
mod tree;
mod written;

pub use difference::{Difference, DifferenceKind, FieldChange};
pub use sealed::{open_secrets, seal_secrets};
pub use tree::Effective;

pub(super) use notes::{Notes, Typed};
