//! Line and column of a byte in a text.

use std::path::Path;
use std::sync::Arc;

use crate::config::problem::{Place, Problem, Severity};

/// The byte order mark that some editors write before a text. No editor counts it.
const MARK: char = '\u{feff}';

/// A text and the bytes at which its lines begin.
pub(super) struct Lines<'a> {
    file: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &Path, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let first = if text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
        Self { file: file.into(), text, starts: std::iter::once(first).chain(ends).collect() }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn place(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..byte).unwrap_or_default();
        Place::File { file: Arc::clone(&self.file), line: Some(line), column: Some(before.chars().count() + 1) }
    }

    /// The byte that a line and a column of bytes mean, both from 1; the nearest if there is none.
    pub(super) fn byte(&self, line: usize, column: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        (start + column.saturating_sub(1)).min(self.text.len())
    }

    /// A mistake in the form of the text.
    pub(super) fn mistake(&self, byte: Option<usize>, message: String) -> Problem {
        let place = byte.map_or_else(|| Place::whole(Arc::clone(&self.file)), |byte| self.place(byte));
        Problem { severity: Severity::Error, place, key: String::new(), message, suggestion: None }
    }
}
