//! The last configuration that ran, kept in `data_dir`: what runs if the files are bad at a start.
//!
//! It is for its owner alone, and is put in the place of the one before as a whole: a crash leaves one or the other. What
//! it holds of secrets is where they are; those that stood in the files themselves are sealed with the store key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::data_dir::store_key;
use crate::base::random::Random;
use crate::base::seal::SealKey;
use crate::config::{
    Effective, Files, Loaded, Place, Problem, Problems, Severity, Sources, load, open_secrets, seal_secrets,
};

const NAME: &str = "last-good.toml";

const PREFACE: &str = "# The last configuration that ran. Tidings writes it, and runs with it if the files are bad at a \
                       start.\n# It is no place to change anything: correct the files, and run `tidings reload`.\n\n";

/// Where it is.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Keeps `effective` in `data_dir`. Blocks.
pub(super) fn keep(data_dir: &Path, effective: &Effective, random: &dyn Random) -> io::Result<()> {
    let text = effective.to_toml();
    if opened(data_dir).is_ok_and(|kept| kept.as_ref() == Some(&text)) {
        return Ok(());
    }
    let mut key = StoreKey { data_dir, key: None };
    let mut seal = |text: &str| Ok(STANDARD.encode(key.get()?.seal(random, NAME, text.as_bytes())));
    let sealed = seal_secrets(&text, &mut seal).map_err(io::Error::other)?;
    write(data_dir, &format!("{PREFACE}{sealed}"))
}

fn write(data_dir: &Path, text: &str) -> io::Result<()> {
    let beside = data_dir.join(format!(".{NAME}.new"));
    // What a crash has left there may have any mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path(data_dir))?;
    File::open(data_dir)?.sync_all()
}

/// The last good configuration in `data_dir`, read as `sources` would be; `None` if there is none. Blocks.
#[must_use]
pub fn read(data_dir: &Path, sources: &Sources) -> Option<Result<Loaded, Problems>> {
    Some(self::sources(data_dir, sources)?.and_then(|sources| load(&sources)))
}

/// Where it is read from, with the surroundings of `sources`; `None` if there is none. Blocks.
#[must_use]
pub fn sources(data_dir: &Path, sources: &Sources) -> Option<Result<Sources, Problems>> {
    // What the environment and the flags have set is in it.
    match opened(data_dir) {
        Ok(text) => Some(Ok(sources.clone().alone(path(data_dir), text?))),
        Err(message) => Some(Err(unusable(data_dir, message))),
    }
}

fn unusable(data_dir: &Path, message: String) -> Problems {
    let (severity, place) = (Severity::Error, Place::whole(path(data_dir)));
    let problem = Problem { severity, place, key: String::new(), message, suggestion: None };
    Problems { problems: vec![problem], files: Files::default() }
}

/// What was kept; `None` if nothing was.
fn opened(data_dir: &Path) -> Result<Option<String>, String> {
    let text = match fs::read_to_string(path(data_dir)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut key = StoreKey { data_dir, key: None };
    let mut open = |text: &str| {
        let sealed = STANDARD.decode(text).map_err(|error| error.to_string())?;
        let opened = key.get()?.open(NAME, &sealed).map_err(|error| error.to_string())?;
        String::from_utf8(opened.to_vec()).map_err(|error| error.to_string())
    };
    open_secrets(&text, &mut open).map(Some)
}

/// The store key, which is needed only where a secret stands in the files.
struct StoreKey<'a> {
    data_dir: &'a Path,
    key: Option<SealKey>,
}

impl StoreKey<'_> {
    fn get(&mut self) -> Result<&SealKey, String> {
        Ok(match &mut self.key {
            Some(key) => key,
            none => none.insert(store_key(self.data_dir).map_err(|error| error.to_string())?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::base::random::SeededRandomness;

    #[test]
    fn it_is_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".last-good.toml.new"), "left by a crash").unwrap();
        let main = folder.path().join("tidings.toml");
        let random = SeededRandomness::new(1);
        for level in ["debug", "warn"] {
            fs::write(&main, format!("log.level = \"{level}\"\n")).unwrap();
            let loaded = load(&Sources::new(&main)).unwrap();
            keep(folder.path(), &loaded.effective, &random).unwrap();
            let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
            let again = read(folder.path(), &Sources::new("/nowhere")).unwrap().unwrap();
            assert_eq!(again.effective.digest(), loaded.effective.digest());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn a_secret_that_stands_in_the_files_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let (main, random) = (folder.path().join("tidings.toml"), SeededRandomness::new(1));
        let client = |id: &str, key: &str| {
            format!("[[clients]]\nid = \"{id}\"\nscopes = []\n{key} = [{{ value = \"s3cret-{id}\" }}]\n")
        };
        fs::write(&main, client("a", "secrets") + &client("b", "secrets")).unwrap();
        let loaded = load(&Sources::new(&main)).unwrap();
        SealKey::load_or_create(&folder.path().join("store-key"), &random).unwrap();
        keep(folder.path(), &loaded.effective, &random).unwrap();
        let kept = fs::read_to_string(path(folder.path())).unwrap();
        assert!(!kept.contains("s3cret") && kept.contains("sealed = "), "{kept}");
        keep(folder.path(), &loaded.effective, &random).unwrap();
        assert_eq!(fs::read_to_string(path(folder.path())).unwrap(), kept, "what is the same is not written again");
        let again = read(folder.path(), &Sources::new("/nowhere")).unwrap().unwrap();
        assert_eq!(again.effective.digest(), loaded.effective.digest());
        fs::remove_file(folder.path().join("store-key")).unwrap();
        let Err(refused) = read(folder.path(), &Sources::new("/nowhere")).unwrap() else { panic!("without a key") };
        assert!(refused.to_string().contains("store-key"), "{refused}");
    }
}
