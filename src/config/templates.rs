//! The folder of `email.templates`: its files are read here, once, and every one of them is tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::kind::text;
use super::problem::{Place, Problem, Severity};
use super::reader::Item;
use super::sources::{directory_names, left_over, read_bounded};
use crate::base::secret::sha256_fields;
use crate::channel::email::{Finding, TemplateFile, Templates};
use crate::model::json::RawJson;

/// The largest file in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// The most files.
const MAX_FILES: usize = 1000;

/// What the name of a template's sample ends in.
const SAMPLE: &str = ".sample.json";

/// What lies in the folder.
#[derive(Default)]
struct Folder {
    files: Vec<TemplateFile>,
    /// Data by the name of the template that it is a sample for.
    samples: BTreeMap<String, RawJson>,
}

/// Reads the folder that `item` names; every problem of every file is found in one go.
pub(super) fn read(item: &Item<'_>, zone: &TimeZone) -> Option<Templates> {
    let folder = PathBuf::from(text(item)?);
    let mut names = match directory_names(&folder) {
        Ok(names) => names,
        Err(error) => return item.refuse(format!("the folder {} cannot be read: {error}", folder.display())),
    };
    if names.len() > MAX_FILES {
        return item.refuse(format!("the folder {} has more than {MAX_FILES} files", folder.display()));
    }
    names.sort();
    let mut found = Folder::default();
    for name in names {
        found.take(item, &folder, &name.to_string_lossy());
    }
    item.reader.holds(&item.path, &found.print());
    let Folder { files, samples } = found;
    let (templates, mut findings) = Templates::new(files, zone.clone());
    findings.extend(templates.inspect(&samples));
    for finding in findings {
        item.reader.report(problem(item, &folder, finding));
    }
    Some(templates)
}

impl Folder {
    /// A hash of all of it.
    fn print(&self) -> [u8; 32] {
        let files = self.files.iter().flat_map(|file| [file.name.as_bytes(), file.text.as_bytes()]);
        let samples = self.samples.iter().flat_map(|(name, data)| [name.as_bytes(), data.as_bytes()]);
        sha256_fields(files.chain(samples).map(Some))
    }

    fn take(&mut self, item: &Item<'_>, folder: &Path, name: &str) {
        let file = folder.join(name);
        let tell = |severity, line: Option<usize>, message: String| {
            item.reader.report(located(item, severity, &file, line, message));
        };
        let sample = name.strip_suffix(SAMPLE);
        if let Some(reason) = left_over(name) {
            // Nobody wants to hear of .gitkeep.
            if !name.starts_with('.') {
                tell(Severity::Warning, None, format!("is not read: {reason}"));
            }
            return;
        }
        if sample.is_none() && !TemplateFile::is_one(name) {
            let names = "their names end in .subject, .txt, .html, or .sample.json";
            return tell(Severity::Warning, None, format!("is no template: {names}"));
        }
        let text = read_bounded(&file, MAX_FILE)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8; save it as UTF-8".to_owned()));
        match (text, sample) {
            (Err(message), _) => tell(Severity::Error, None, message),
            (Ok(text), None) => self.files.push(TemplateFile { name: name.to_owned(), text }),
            (Ok(text), Some(sample)) => match RawJson::parse(&Bytes::from(text)) {
                Ok(data) => drop(self.samples.insert(sample.to_owned(), data)),
                Err(error) => tell(Severity::Error, None, format!("is no JSON: {error}")),
            },
        }
    }
}

fn problem(item: &Item<'_>, folder: &Path, finding: Finding) -> Problem {
    let Finding { file, line, message, is_error } = finding;
    let severity = if is_error { Severity::Error } else { Severity::Warning };
    located(item, severity, &folder.join(file), line, message)
}

fn located(item: &Item<'_>, severity: Severity, file: &Path, line: Option<usize>, message: String) -> Problem {
    let place = Place::File { file: file.into(), line, column: line.map(|_| 1) };
    Problem { severity, place, key: item.path.clone(), message, suggestion: None }
}
