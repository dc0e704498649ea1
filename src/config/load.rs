//! From sources to settings.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::clients;
use super::effective::Effective;
use super::layers::{self, Layered};
use super::problem::{Place, Problem, Problems, Severity};
use super::reader::{Reader, Section};
use super::settings::{self, Settings};
use super::sources::{Files, Skipped, Sources};
use crate::base::secret::SecretString;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the files say.
    pub settings: Settings,
    /// The same as a tree, with the origin of each value.
    pub effective: Effective,
    /// What somebody should look at.
    pub warnings: Vec<Problem>,
    /// The files that were read, later ones winning.
    pub files_read: Vec<PathBuf>,
    /// What lies in `conf.d` and was not read.
    pub files_skipped: Vec<Skipped>,
}

/// Reads a configuration. Every problem of every source is found in one go; a file that cannot be read or is no TOML
/// does not hide the problems of the others.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let Layered { values, places, files, mut problems, complete } = layers::assemble(sources);
    let reader = Reader::new(&places, complete);
    let settings = Section::root(&reader, &values, |top| settings::read(top, sources));
    let (found, notes) = reader.finish();
    problems.extend(found);
    problems.sort_by_key(|problem| rank(problem, sources, &files));
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(Problems { problems, files });
    }
    let effective = Effective::new(values, &places, &notes);
    Ok(Loaded { settings, effective, warnings: problems, files_read: files.read, files_skipped: files.skipped })
}

/// What holds where no source says anything.
#[must_use]
pub fn defaults() -> Settings {
    let (values, places) = layers::built_in_alone();
    let reader = Reader::new(&places, true);
    Section::root(&reader, &values, |top| settings::read(top, &Sources::default()))
}

/// The keys that were asked for while this configuration was read, without indices: `clients[].id`. In the tables and
/// entries that it has, these are all that there can be; a test holds the schema of the files against them.
#[must_use]
pub fn keys(sources: &Sources) -> BTreeSet<String> {
    let Layered { values, places, .. } = layers::assemble(sources);
    let reader = Reader::noting_keys(&places);
    Section::root(&reader, &values, |top| settings::read(top, sources));
    reader.finish().1.into_asked()
}

/// The secret of the client `id` that is right for the longest, for a command that acts as it; `None` if there is no such
/// client, or only the hash of its secret is there. Settings hold only what secrets are compared with; here one is read again to be shown to a server.
#[must_use]
pub fn client_secret(sources: &Sources, id: &str) -> Option<SecretString> {
    let Layered { values, places, complete, .. } = layers::assemble(sources);
    let reader = Reader::new(&places, complete);
    Section::root(&reader, &values, |top| clients::lasting_secret(top, sources, id))
}

/// The order in which problems are shown: that of the sources, and of the lines in a file.
fn rank(problem: &Problem, sources: &Sources, files: &Files) -> (usize, usize, usize) {
    match &problem.place {
        Place::BuiltIn {} => (0, 0, 0),
        Place::File { file, line, column } => {
            let main = usize::from(**file != *sources.file);
            let position = files.read.iter().position(|read| **read == **file).unwrap_or(files.read.len());
            (1 + main + main * position, line.unwrap_or(0), column.unwrap_or(0))
        }
        Place::Environment { .. } => (usize::MAX - 1, 0, 0),
        Place::Flag { .. } => (usize::MAX, 0, 0),
    }
}
