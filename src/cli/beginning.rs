//! What `tidings serve` starts with: what the files say or, if they are bad, the last good configuration.

use super::exit::{Exit, Failure};
use super::settings::Configuration;
use crate::app::{Configured, Files, last_good, log};
use crate::config::{self, Fallback, Loaded, Place, Problem, Problems, Severity};

/// The configuration to start with; the log is installed as it says. Fails if the files are bad, and there is no other
/// that may run in their stead.
pub(super) fn configured(configuration: &Configuration) -> Result<Configured, Failure> {
    let sources = configuration.sources();
    let problems = match config::load(&sources) {
        Ok(loaded) => {
            log::install(loaded.settings.log);
            tell(&loaded);
            return Ok(Configured::of(loaded, files(configuration)));
        }
        Err(problems) => problems,
    };
    let refusal = configuration.refusal(&problems);
    let loaded = match find(configuration) {
        Found::Good(loaded) => loaded,
        Found::None => return Err(refusal),
        Found::Bad(why) => {
            return Err(Failure::new(Exit::Configuration, format!("{}\n{why}", refusal.text)));
        }
    };
    log::install(loaded.settings.log);
    for problem in problems.problems.iter().filter(|problem| problem.severity == Severity::Error) {
        tracing::error!("{problem}");
    }
    tell_last_good();
    Ok(Configured::last_good(*loaded, files(configuration), problems))
}

/// The last good configuration in the place of one that could not be brought in, for this reason; `None` if there is no
/// other that may run.
pub(super) fn last_good_instead_of(configuration: &Configuration, reason: &str) -> Option<Configured> {
    let Found::Good(loaded) = find(configuration) else { return None };
    let problem = Problem {
        severity: Severity::Error,
        place: Place::whole(configuration.sources().file),
        key: String::new(),
        message: reason.to_owned(),
        suggestion: None,
    };
    tracing::error!("{problem}");
    tell_last_good();
    let problems = Problems { problems: vec![problem], files: config::Files::default() };
    Some(Configured::last_good(*loaded, files(configuration), problems))
}

fn files(configuration: &Configuration) -> Files {
    let configuration = configuration.clone();
    Files::new(move || configuration.sources())
}

fn tell(loaded: &Loaded) {
    for skipped in &loaded.files_skipped {
        tracing::info!("skipped {}: {}", skipped.file.display(), skipped.reason);
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
}

fn tell_last_good() {
    tracing::error!(
        "the files are bad: the last good configuration runs in their stead; correct them (tidings check), and run tidings \
         reload"
    );
}

/// What there is to run in the place of the files.
enum Found {
    Good(Box<Loaded>),
    /// There is none, or the files do not want it.
    None,
    /// It cannot be used either.
    Bad(String),
}

fn find(configuration: &Configuration) -> Found {
    let sources = configuration.sources();
    let Fallback { data_dir, last_good: wanted, .. } = config::fallback(&sources);
    if !wanted {
        return Found::None;
    }
    match last_good::read(&data_dir, &sources) {
        None => Found::None,
        Some(Ok(loaded)) => Found::Good(Box::new(loaded)),
        Some(Err(problems)) => Found::Bad(format!("the last good configuration cannot be used either:\n{problems}")),
    }
}
