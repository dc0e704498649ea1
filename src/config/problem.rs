//! What is wrong with the files, where, and what to do about it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::sources::Files;

/// Whether a configuration with the problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but somebody should look at it.
    Warning,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// A file, named as it was given.
    File {
        /// Its path, which all that stands in the file share.
        #[serde(serialize_with = "path")]
        file: Arc<Path>,
        /// From 1; `None` where the whole file is meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// From 1, in characters; `None` where the whole file is meant.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<usize>,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// Its name with the dashes.
        flag: String,
    },
    /// No source says anything: the built-in default.
    BuiltIn {},
}

impl Place {
    /// The whole of `file`.
    #[must_use]
    pub fn whole(file: impl Into<Arc<Path>>) -> Self {
        Self::File { file: file.into(), line: None, column: None }
    }
}

/// As text shows it: a name that is not UTF-8 is no reason to show nothing.
pub(super) fn path<S: Serializer>(file: impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&file.as_ref().display())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: Some(line), column: Some(column) } => {
                write!(f, "{}:{line}:{column}", file.display())
            }
            Self::File { file, .. } => write!(f, "{}", file.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
            Self::BuiltIn {} => f.write_str("built-in defaults"),
        }
    }
}

/// One problem. Its texts never hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The path of the key, for example `clients[0].id`; empty where no key is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem with a whole file.
    pub(super) fn with_file(file: impl Into<Arc<Path>>, message: String) -> Self {
        let (severity, place) = (Severity::Error, Place::whole(file));
        Self { severity, place, key: String::new(), message, suggestion: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, "; {suggestion}"))
    }
}

/// Why a configuration cannot be used: every problem that was found, and what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// Errors and warnings, in the order of the sources and their lines; at least one is an error.
    pub problems: Vec<Problem>,
    /// What was read and what was not.
    #[serde(flatten)]
    pub files: Files,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
