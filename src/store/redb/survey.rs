//! What a stopped appliance's data file holds of subscriptions, without changing any of it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::backend::GrowingFile;
use super::{OpenError, Progress, load, open};
use crate::base::clock::Timestamp;
use crate::base::seal::SealKey;
use crate::model::subscription::SubscriptionSet;
use crate::store::{StoreSettings, SubscriptionSums};

/// The subscriptions of a data file.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// All of them.
    pub subscriptions: Arc<SubscriptionSet>,
    /// Their notifications.
    pub sums: Vec<SubscriptionSums>,
}

/// Reads the data file of a stopped appliance, as it stands at `now`. A file that was not closed is repaired first.
pub fn survey(path: &Path, seal: &SealKey, now: Timestamp, progress: &Progress) -> Result<Survey, OpenError> {
    let file = File::options().read(true).write(true).open(path).map_err(|e| open::io_error(path, &e))?;
    let db = open::open_database(path, GrowingFile::new(Arc::new(file), 0, None), progress)?;
    open::refuse_newer(&db, path)?;
    // Known identities are of no use here.
    let settings = StoreSettings { duplicate_events: 0, ..StoreSettings::default() };
    let memory = load::load(&db, &settings, seal, now, progress)
        .map_err(|error| OpenError::Damaged { path: path.to_owned(), detail: error.to_string() })?;
    Ok(Survey { sums: memory.subscription_sums(now), subscriptions: memory.subscriptions })
}
