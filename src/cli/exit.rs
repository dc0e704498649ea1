//! How a command ends: the exit codes of design.md ("Command line"), and a text that says what to do.

use std::fmt;
use std::process::ExitCode;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Ok,
    /// Done, with a finding: something is not well.
    Finding,
    /// `EX_USAGE`: what was asked for cannot be asked for like this.
    Usage,
    /// `EX_UNAVAILABLE`: a service cannot be reached, or does not work.
    Unreachable,
    /// `EX_IOERR`: a file cannot be read or written.
    Io,
    /// `EX_TEMPFAIL`: it cannot be done now; trying again may help.
    TryAgain,
    /// `EX_NOPERM`: the credential is wrong or does not allow it.
    NotAllowed,
    /// `EX_CONFIG`: the configuration has problems.
    Configuration,
}

impl Exit {
    /// The number (sysexits.h from 64 on).
    #[must_use]
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Finding => 1,
            Self::Usage => 64,
            Self::Unreachable => 69,
            Self::Io => 74,
            Self::TryAgain => 75,
            Self::NotAllowed => 77,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// What was wrong, where, and what to do; shown on stderr.
    pub(super) text: String,
}

impl Failure {
    /// A failure with this text.
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
