//! The last configuration that ran, kept in `data_dir`: what runs if the files are bad at a start.
//!
//! It is for its owner alone, and is put in the place of the one before as a whole: a crash leaves one or the other. What
//! it holds of secrets is where they are, but for those that stood in the files themselves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Effective, Loaded, Problems, Sources, load};

const NAME: &str = "last-good.toml";

const PREFACE: &str = "# The last configuration that ran. Tidings writes it, and runs with it if the files are bad at a \
                       start.\n# It is no place to change anything: correct the files, and run `tidings reload`.\n\n";

/// Where it is.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Keeps `effective` in `data_dir`. Blocks.
pub(super) fn keep(data_dir: &Path, effective: &Effective) -> io::Result<()> {
    let text = format!("{PREFACE}{}", effective.to_toml());
    let place = path(data_dir);
    if fs::read(&place).is_ok_and(|kept| kept == text.as_bytes()) {
        return Ok(());
    }
    let beside = data_dir.join(format!(".{NAME}.new"));
    // What a crash has left there may have any mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, &place)?;
    File::open(data_dir)?.sync_all()
}

/// The last good configuration in `data_dir`, read as `sources` would be; `None` if there is none. Blocks.
#[must_use]
pub fn read(data_dir: &Path, sources: &Sources) -> Option<Result<Loaded, Problems>> {
    let file = path(data_dir);
    // What the environment and the flags have set is in it.
    file.exists().then(|| load(&sources.clone().alone(file)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".last-good.toml.new"), "left by a crash").unwrap();
        let main = folder.path().join("tidings.toml");
        for level in ["debug", "warn"] {
            fs::write(&main, format!("log.level = \"{level}\"\n")).unwrap();
            let loaded = load(&Sources::new(&main)).unwrap();
            keep(folder.path(), &loaded.effective).unwrap();
            let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
            let again = read(folder.path(), &Sources::new("/nowhere")).unwrap().unwrap();
            assert_eq!(again.effective.digest(), loaded.effective.digest());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }
}
