//! What the store keeps of conditions, in memory: nobody else writes it.

use std::collections::HashMap;

use super::finding::Key;
use crate::model::condition::Condition;
use crate::store::{KeptCondition, Store, StoreError};

/// What is kept, by name and subject.
#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<String, HashMap<String, KeptCondition>>);

impl Kept {
    /// All that the store keeps.
    pub(super) async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(store.conditions().await?.into_iter().collect())
    }

    fn insert(&mut self, row: KeptCondition) {
        self.0.entry(row.name.clone()).or_default().insert(row.subject.clone(), row);
    }

    /// Keeps a row in the place of the one with its name and subject.
    pub(super) async fn keep(&mut self, store: &dyn Store, row: KeptCondition) -> Result<(), StoreError> {
        store.keep_condition(row.clone()).await?;
        self.insert(row);
        Ok(())
    }

    /// Forgets a row.
    pub(super) async fn end(&mut self, store: &dyn Store, name: &str, subject: &str) -> Result<(), StoreError> {
        store.end_condition(name, subject).await?;
        self.0.get_mut(name).map(|of_name| of_name.remove(subject));
        Ok(())
    }

    /// The row of this name and subject.
    pub(super) fn row(&self, name: &str, subject: &str) -> Option<&KeptCondition> {
        self.0.get(name)?.get(subject)
    }

    /// What is kept of a condition that lasts.
    pub(super) fn condition(&self, condition: Condition, key: &Key) -> Option<&KeptCondition> {
        self.row(condition.as_str(), &key.written())
    }

    /// The conditions that last, in no order.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (Condition, &KeptCondition)> {
        let rows = |condition: Condition| self.of_name(condition.as_str()).map(move |row| (condition, row));
        Condition::ALL.into_iter().flat_map(rows)
    }

    /// The rows of this name.
    pub(super) fn of_name(&self, name: &str) -> impl Iterator<Item = &KeptCondition> {
        self.0.get(name).into_iter().flat_map(HashMap::values)
    }
}

impl FromIterator<KeptCondition> for Kept {
    fn from_iter<I: IntoIterator<Item = KeptCondition>>(rows: I) -> Self {
        let mut kept = Self::default();
        rows.into_iter().for_each(|row| kept.insert(row));
        kept
    }
}
