//! `[log]` and `[audit]`: what is told, and where.

use std::path::PathBuf;

use super::kind::text;
use super::reader::{Item, Section, Shown};
use crate::base::audit::Output;
use crate::base::masking::Personal;

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// journald's where stderr is connected to it, else text.
    Auto,
    /// Lines with a priority prefix, as journald reads them from stderr (sd-daemon(3)).
    Journald,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[log]`
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// Its form.
    pub format: LogFormat,
    /// The least severe level that is shown.
    pub level: tracing::Level,
    /// What becomes of mail addresses and telephone numbers.
    pub personal: Personal,
}

const FORMATS: [(&str, LogFormat); 4] = [
    ("auto", LogFormat::Auto),
    ("journald", LogFormat::Journald),
    ("json", LogFormat::Json),
    ("text", LogFormat::Text),
];

const LEVELS: [(&str, tracing::Level); 5] = [
    ("error", tracing::Level::ERROR),
    ("warn", tracing::Level::WARN),
    ("info", tracing::Level::INFO),
    ("debug", tracing::Level::DEBUG),
    ("trace", tracing::Level::TRACE),
];

const PERSONAL: [(&str, Personal); 2] = [("mask", Personal::Mask), ("show", Personal::Show)];

/// Reads `[log]`.
pub(super) fn read(top: &Section<'_>) -> LogSettings {
    top.section("log", |log| LogSettings {
        format: log.choice("format", &FORMATS),
        level: log.choice("level", &LEVELS),
        personal: log.choice("personal_data", &PERSONAL),
    })
}

/// Reads `[audit]`.
pub(super) fn read_audit(top: &Section<'_>) -> Output {
    top.section("audit", |audit| audit.required("output", output))
}

/// `journal` or a path. A path has a slash, so that a misspelt `journal` does not become a file.
fn output(item: &Item<'_>) -> Option<Output> {
    match text(item)?.as_str() {
        "journal" => Some(Output::Journal),
        path if path.contains('/') && !path.ends_with('/') => Some(Output::File(PathBuf::from(path))),
        other => item.refuse(format!(
            "must be \"journal\", or the path of a file with a slash in it such as \"/var/log/tidings/audit.log\", not {}",
            Shown(other)
        )),
    }
}
