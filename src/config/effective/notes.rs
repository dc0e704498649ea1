//! What only the readers know of a value: what the file that it names holds, whether it is a secret, and its type; and of
//! all keys: which there can be.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::base::secret::sha256;
use crate::config::places::join_key;

/// Path of a value → what is known of it.
#[derive(Default)]
pub(in crate::config) struct Notes {
    held: HashMap<String, [u8; 32]>,
    open: HashSet<String>,
    typed: HashMap<String, Typed>,
    /// The keys that were asked for, if somebody wants to know.
    asked: Option<BTreeSet<String>>,
}

/// What the text of a source without types stands for.
#[derive(Clone, Copy)]
pub(in crate::config) enum Typed {
    Number(u64),
    Bool(bool),
}

impl Notes {
    /// Notes that keep the keys which are asked for, too.
    pub(in crate::config) fn with_keys() -> Self {
        Self { asked: Some(BTreeSet::new()), ..Self::default() }
    }

    /// The table at `path` was asked for these keys.
    pub(in crate::config) fn ask(&mut self, path: &str, keys: &[&'static str]) {
        let Some(asked) = &mut self.asked else { return };
        let path = without_indices(path);
        asked.extend(keys.iter().map(|key| join_key(&path, key)));
    }

    /// The keys that were asked for, without indices: `clients[].id`.
    pub(in crate::config) fn into_asked(self) -> BTreeSet<String> {
        self.asked.unwrap_or_default()
    }

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

fn without_indices(path: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        inside = (inside || *c == '[') && *c != ']';
        !inside || *c == '['
    };
    path.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::without_indices;

    #[test]
    fn indices_are_taken_out_of_paths() {
        assert_eq!(without_indices("clients[12].secrets[0].file"), "clients[].secrets[].file");
        assert_eq!(without_indices(""), "");
    }
}
