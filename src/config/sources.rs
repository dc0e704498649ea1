//! Where the configuration comes from: which files are read, which are skipped, the environment, flags.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use serde::{Serialize, Serializer};

use super::problem::{self, Place, Problem};
use crate::base::clock::{Clock as _, SystemClock, Timestamp};

/// The largest configuration file in bytes.
const MAX_FILE: u64 = 8 << 20;

/// Everything that settings can come from; nothing else is read. Not `Debug`: the environment may hold secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// The main file; `conf.d/` beside it is read too.
    pub file: PathBuf,
    /// Environment variables: `TIDINGS__…` sets keys, and secrets may name others.
    pub environment: Vec<(String, String)>,
    /// `$CREDENTIALS_DIRECTORY` of systemd, for the secrets that name a credential.
    pub credentials: Option<PathBuf>,
    /// Flags of the command line, which win over all else.
    pub flags: Vec<Flag>,
    /// The time at which what expires is judged.
    pub now: Timestamp,
    /// Whether `file` says it all: no `conf.d/`, no `TIDINGS__…`, no flags. Secrets may still name variables.
    pub alone: bool,
    /// What `file` says, where it is not to be read from there.
    pub content: Option<String>,
}

/// A flag of the command line that sets a key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag as it is written, for example `--log-level`.
    pub name: &'static str,
    /// The key that it sets, for example `log.level`.
    pub key: &'static str,
    /// What it is set to, in the form that an environment variable has.
    pub value: String,
}

impl Sources {
    /// `file` alone, without environment or flags, at the time of the machine's clock.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), now: SystemClock.now(), ..Self::default() }
    }

    /// `file` and the environment of this process. Variables that are not UTF-8 are taken with U+FFFD in their values.
    #[must_use]
    pub fn of_process(file: impl Into<PathBuf>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self { environment, credentials, ..Self::new(file) }
    }

    /// The same surroundings, but `file` with this content is the whole configuration: for one that
    /// [`Effective::to_toml`] has written.
    ///
    /// [`Effective::to_toml`]: super::Effective::to_toml
    #[must_use]
    pub fn alone(self, file: impl Into<PathBuf>, content: String) -> Self {
        Self { file: file.into(), alone: true, content: Some(content), ..self }
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A file in `conf.d` that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Which.
    #[serde(serialize_with = "problem::path")]
    pub file: PathBuf,
    /// Why.
    pub reason: &'static str,
}

/// Which files were read, in their order, and which were not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// The files whose content counts; later ones win.
    #[serde(rename = "files_read", serialize_with = "paths")]
    pub read: Vec<PathBuf>,
    /// What lies in `conf.d` and was left out.
    #[serde(rename = "files_skipped")]
    pub skipped: Vec<Skipped>,
}

fn paths<S: Serializer>(files: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| file.to_string_lossy()))
}

/// A file that has been read.
pub(super) struct Text {
    pub(super) file: PathBuf,
    pub(super) content: String,
}

/// Reads the main file and `conf.d/*.toml` and `*.json` beside it in name order. What cannot be read becomes a problem and does
/// not hide the others.
pub(super) fn read_all(sources: &Sources, files: &mut Files, problems: &mut Vec<Problem>) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut paths = vec![sources.file.clone()];
    if !sources.alone {
        paths.extend(list_directory(&sources.file.with_file_name("conf.d"), files, problems));
    }
    for file in paths {
        let given = sources.content.clone().filter(|_| file == sources.file);
        if let Some(content) = given.or_else(|| read_file(&file, problems)) {
            files.read.push(file.clone());
            texts.push(Text { file, content });
        }
    }
    texts
}

/// The files of `conf.d` that are to be read; a directory that is not there has none.
fn list_directory(directory: &Path, files: &mut Files, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut names = match directory_names(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Problem::with_file(directory, format!("the directory cannot be read: {error}")));
            return Vec::new();
        }
    };
    names.sort();
    let mut kept = Vec::new();
    for name in names {
        let file = directory.join(&name);
        match reason_to_skip(&name.to_string_lossy(), &file) {
            Some(reason) => files.skipped.push(Skipped { file, reason }),
            None => kept.push(file),
        }
    }
    kept
}

pub(super) fn directory_names(directory: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|e| e.file_name())).collect()
}

/// Why a file of `conf.d` is not meant to be read; `None` if it is.
fn reason_to_skip(name: &str, file: &Path) -> Option<&'static str> {
    if let Some(reason) = left_over(name) {
        Some(reason)
    } else if Path::new(name).extension().is_none_or(|e| e != "toml" && e != "json") {
        Some("its name ends neither in .toml nor in .json")
    } else if file.is_dir() {
        Some("it is a directory")
    } else {
        None
    }
}

/// Whether an editor or a package manager has left the file behind, by its name.
pub(super) fn left_over(name: &str) -> Option<&'static str> {
    const EDITORS: [&str; 4] = ["~", ".bak", ".swp", ".orig"];
    const PACKAGES: [&str; 3] = [".rpmnew", ".rpmsave", ".rpmorig"];
    if name.starts_with('.') {
        Some("hidden file")
    } else if name.starts_with('#') || EDITORS.iter().any(|end| name.ends_with(end)) {
        Some("left behind by an editor")
    } else if name.contains(".dpkg-") || PACKAGES.iter().any(|end| name.ends_with(end)) {
        Some("left behind by the package manager")
    } else {
        None
    }
}

fn read_file(file: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    match read_bounded(file, MAX_FILE).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(text),
        Ok(Err(error)) => problems.push(not_utf8(file, &error)),
        Err(message) => problems.push(Problem::with_file(file, message)),
    }
    None
}

fn not_utf8(file: &Path, error: &FromUtf8Error) -> Problem {
    let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
    let line_start = valid.rfind('\n').map_or(0, |end| end + 1);
    let line = Some(1 + valid[..line_start].matches('\n').count());
    let place = Place::File { file: file.into(), line, column: Some(valid[line_start..].chars().count() + 1) };
    Problem { place, ..Problem::with_file(file, "not UTF-8; save the file as UTF-8".to_owned()) }
}

/// Reads a regular file of at most `max` bytes; the error is for people.
pub(super) fn read_bounded(file: &Path, max: u64) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    // A pipe or a device would block or never end.
    if !fs::metadata(file).map_err(cannot)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(file).map_err(cannot)?.take(max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > max { Err(format!("is larger than {max} bytes")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_overs_are_known_by_their_names() {
        for name in [
            "a.toml~",
            ".a.toml",
            "a.toml.bak",
            "a.toml.rpmnew",
            "a.toml.rpmsave",
            "a.toml.dpkg-dist",
            "a.dpkg-old.toml",
            "#a.toml#",
            ".a.toml.swp",
            "a.toml.swp",
        ] {
            assert!(left_over(name).is_some(), "{name}");
        }
        for name in ["a.toml", "10-a.b.toml", "a.json", "README"] {
            assert_eq!(left_over(name), None, "{name}");
        }
    }
}
