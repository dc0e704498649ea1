//! One file, parsed once: its values, and where each of them stands.
//!
//! `toml` and `json` parse a text into the same tree, each of whose values knows the byte that it starts at; `walk` makes
//! values of it and notes where they stand. A text with a mistake in its form gives its syntax errors and nothing else:
//! what a parser could save of it would give misleading problems. No error shows what stands in the file, for that may be
//! a secret.

mod json;
mod lines;
mod toml;
mod tree;
mod walk;

pub(super) use walk::{is_json, read, read_array};
