//! What only the readers know of a value: what the file that it names holds, whether it is a secret, and its type.

use std::collections::{HashMap, HashSet};

use crate::base::secret::sha256;

/// Path of a value → what is known of it.
#[derive(Default)]
pub(in crate::config) struct Notes {
    held: HashMap<String, [u8; 32]>,
    open: HashSet<String>,
    typed: HashMap<String, Typed>,
}

/// What the text of a source without types stands for.
#[derive(Clone, Copy)]
pub(in crate::config) enum Typed {
    Number(u64),
    Bool(bool),
}

impl Notes {
    /// The value at `path` names something with this content: a file, a credential, a variable.
    pub(in crate::config) fn hold(&mut self, path: &str, content: &[u8]) {
        self.held.insert(path.to_owned(), sha256(content));
    }

    /// The value at `path` is a secret itself.
    pub(in crate::config) fn open(&mut self, path: &str) {
        self.open.insert(path.to_owned());
    }

    /// The text at `path` was taken as this.
    pub(in crate::config) fn typed(&mut self, path: &str, typed: Typed) {
        self.typed.insert(path.to_owned(), typed);
    }

    /// SHA-256 of what the value at `path` names.
    pub(super) fn held(&self, path: &str) -> Option<[u8; 32]> {
        self.held.get(path).copied()
    }

    pub(super) fn is_open(&self, path: &str) -> bool {
        self.open.contains(path)
    }

    pub(super) fn type_of(&self, path: &str) -> Option<Typed> {
        self.typed.get(path).copied()
    }
}
