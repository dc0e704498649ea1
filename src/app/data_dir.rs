//! The folder of the data file and the store key: `data_dir`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::error::StartError;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::random::{Random, SystemRandomness};
use crate::base::seal::{KeyFileError, SealKey};
use crate::store::redb::{self, Progress, Survey};

/// The store key's name in the folder.
const STORE_KEY: &str = "store-key";

/// Where things are in `data_dir` (design.md, "On disk").
#[derive(Clone, Debug)]
pub(super) struct DataDir(PathBuf);

impl DataDir {
    /// The folder at `path`, made for its owner alone if it is not there.
    pub(super) fn prepare(path: &Path) -> Result<Self, StartError> {
        let cannot = |error: io::Error| StartError::DataDir { path: path.to_owned(), detail: advice(path, &error) };
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => Err(StartError::DataDir {
                path: path.to_owned(),
                detail: "it is not a folder; name another one in `data_dir`, or move what is there".to_owned(),
            }),
            Ok(found) => {
                warn_if_exposed(path, found.permissions().mode());
                Ok(Self(path.to_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
                Ok(Self(path.to_owned()))
            }
            Err(error) => Err(cannot(error)),
        }
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The data file.
    pub(super) fn data_file(&self) -> PathBuf {
        data_file(&self.0)
    }

    /// The store key, made at the first start. One that is missing beside a data file is not made anew: what is sealed
    /// in the file could not be opened with it.
    pub(super) fn seal_key(&self, random: &dyn Random) -> Result<SealKey, StartError> {
        let (data_file, key) = (self.data_file(), self.0.join(STORE_KEY));
        if data_file.exists() && !key.exists() {
            return Err(StartError::StoreKeyLost { data_file, key });
        }
        Ok(SealKey::load_or_create(&key, random)?)
    }
}

/// The store key in the folder `data_dir`, where it has been made before.
pub(super) fn store_key(data_dir: &Path) -> Result<SealKey, KeyFileError> {
    SealKey::load_existing(&data_dir.join(STORE_KEY))
}

/// The data file in the folder `data_dir`.
#[must_use]
pub fn data_file(data_dir: &Path) -> PathBuf {
    data_dir.join("tidings.redb")
}

/// What the data file in `data_dir` holds of subscriptions, for a stopped appliance; nothing if there is none. Blocks.
pub fn survey(data_dir: &Path, progress: &Progress) -> Result<Survey, StartError> {
    let folder = DataDir(data_dir.to_owned());
    let file = folder.data_file();
    if !file.exists() {
        return Ok(Survey::default());
    }
    // There is a data file, so that no key is made.
    let seal = folder.seal_key(&SystemRandomness::default())?;
    Ok(redb::survey(&file, &seal, SystemClock.now(), progress)?)
}

fn advice(path: &Path, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return format!(
            "{error}; make the folder and give it to the user that runs tidings: `install -d -m 0700 -o tidings -g tidings {}`",
            path.display()
        );
    }
    format!("{error}; make the folder, or name another one in `data_dir`")
}

/// The data file and the key are for their owner alone, but a folder that lets others look is no reason not to start.
fn warn_if_exposed(path: &Path, mode: u32) {
    if mode & 0o007 != 0 {
        tracing::warn!("others may look into {} (mode {:04o}): run `chmod o= {0}`", path.display(), mode & 0o7777);
    }
}
