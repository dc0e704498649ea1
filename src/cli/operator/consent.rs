//! Whether what cannot be taken back is really meant.

use std::io::{self, BufRead, IsTerminal as _, Write as _};

use clap::Args;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output;

/// Whether a change is to be made, and whether that is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Consent {
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

impl Consent {
    /// Refuses to begin where a change is wanted and nobody can be asked.
    pub(super) fn can_be_had(self) -> Result<(), Failure> {
        if self.dry_run || self.yes || is_a_person_there() {
            return Ok(());
        }
        let text = "there is no terminal to ask on: add --yes to do it, or --dry-run to see what would be done";
        Err(Failure::new(Exit::Usage, text))
    }

    /// Whether nobody has to be asked.
    pub(super) const fn is_given(self) -> bool {
        self.yes
    }

    /// Asks whether to go on, unless that has been said.
    pub(super) fn ask(self, question: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        let mut err = io::stderr();
        // If stderr is closed, the question is not seen and not answered with yes.
        let _ = write!(err, "{} [y/N] ", output::printable(question)).and_then(|()| err.flush());
        let agreed = agrees(io::stdin().lock())
            .map_err(|error| Failure::new(Exit::Io, format!("cannot read the answer: {error}")))?;
        if !agreed {
            output::remark("nothing was changed");
        }
        Ok(agreed)
    }
}

fn is_a_person_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the next line says yes; the longest word that matters is three letters long.
fn agrees(mut from: impl BufRead) -> io::Result<bool> {
    let mut line = String::new();
    io::Read::take(&mut from, 64).read_line(&mut line)?;
    let word = line.trim();
    Ok(word.eq_ignore_ascii_case("y") || word.eq_ignore_ascii_case("yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for yes in ["y\n", "Y", "yes\n", " YES \n"] {
            assert!(agrees(yes.as_bytes()).unwrap(), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yess\n", "no\ny\n", "j\n"] {
            assert!(!agrees(no.as_bytes()).unwrap(), "{no:?}");
        }
    }
}
