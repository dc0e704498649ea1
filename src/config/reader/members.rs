//! Tables whose keys are names that somebody else gives: of event types, of attributes, of what a customer is found by.

use super::{Item, Shown, nearest};
use crate::config::places::join_key;
use crate::config::problem::Severity;

impl<'r> Item<'r> {
    /// The members of the table that stands here, by name; reported where it is something else.
    pub(in crate::config) fn members(&self) -> Option<Vec<(&'r str, Item<'r>)>> {
        let member = |(key, value)| {
            let key: &'r String = key;
            (key.as_str(), Item { reader: self.reader, path: join_key(&self.path, key), value })
        };
        Some(self.table()?.iter().map(member).collect())
    }

    /// The key of this member is none of the `known`: `what` says of what.
    pub(in crate::config) fn refuse_key<'k>(&self, what: &str, known: impl IntoIterator<Item = &'k str>) {
        // It may be named in a file that could not be read.
        if !self.reader.complete {
            return;
        }
        let known: Vec<_> = known.into_iter().collect();
        let key = self.path.rsplit('.').next().unwrap_or_default();
        let advice = nearest(key, known.iter().copied()).or_else(|| {
            let shown = known.iter().map(|name| Shown(name).to_string()).take(MAX_SHOWN).collect::<Vec<_>>().join(", ");
            (!known.is_empty()).then(|| format!("known here: {shown}"))
        });
        let place = self.reader.key_place(&self.path);
        self.reader.push(Severity::Error, place, &self.path, format!("unknown key: {what}"), advice);
    }
}

/// The most names that are listed.
const MAX_SHOWN: usize = 20;
