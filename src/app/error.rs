//! Why an appliance does not start.

use std::path::PathBuf;

use crate::auth::{SigningKeyError, WebhookKeyError};
use crate::base::audit;
use crate::base::seal::KeyFileError;
use crate::engine::ProvisionError;
use crate::http::BindError;
use crate::store::StoreError;
use crate::store::redb::OpenError;

/// Why the appliance did not start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}: {detail}", path.display())]
    DataDir {
        /// Which folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The store key cannot be used.
    #[error(transparent)]
    StoreKey(#[from] KeyFileError),
    /// There is a data file, but not its key.
    #[error(
        "the data file {} is there, but its key {} is not: put the key back from where you keep a copy; without it \
         what was sealed cannot be read", data_file.display(), key.display()
    )]
    StoreKeyLost {
        /// The data file.
        data_file: PathBuf,
        /// Where its key should be.
        key: PathBuf,
    },
    /// The audit trail cannot be written.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// The data file cannot be used.
    #[error(transparent)]
    DataFile(#[from] OpenError),
    /// The key that signs tokens cannot be used.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The key that signs webhooks cannot be used.
    #[error(transparent)]
    WebhookKey(#[from] WebhookKeyError),
    /// What the store keeps of credentials cannot be read.
    #[error("what the data file keeps of credentials cannot be used: {0}")]
    Credentials(#[from] StoreError),
    /// The declared subscriptions cannot be made.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// A part of the program failed; its log has more.
    #[error("the start failed inside: {0}; look at the log, and report it")]
    Inside(String),
}
