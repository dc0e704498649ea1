//! What an appliance is started with: settings, the files that they come from, and how those are read again.

use std::sync::Arc;

use crate::config::{Effective, Loaded, Problems, Settings, Sources};

/// A configuration to start with.
#[derive(Clone)]
pub struct Configured {
    /// What it says.
    pub settings: Settings,
    /// The same as a tree.
    pub effective: Effective,
    /// The files; `None` where there are none, and so nothing to reload.
    pub files: Option<Files>,
    /// Why this is the last good configuration and not what the files say; `None` where it is what they say.
    pub instead_of: Option<Problems>,
}

/// Where the files are, asked for whenever they are read: the environment and the time count too.
#[derive(Clone)]
pub struct Files(Arc<dyn Fn() -> Sources + Send + Sync>);

impl Files {
    /// The files that `sources` names.
    pub fn new(sources: impl Fn() -> Sources + Send + Sync + 'static) -> Self {
        Self(Arc::new(sources))
    }

    /// What they say now. Blocks.
    pub(super) fn read(&self) -> Result<Loaded, Problems> {
        crate::config::load(&self.sources())
    }

    pub(super) fn sources(&self) -> Sources {
        (self.0)()
    }
}

impl Configured {
    /// What was read from `files`.
    #[must_use]
    pub fn of(loaded: Loaded, files: Files) -> Self {
        let Loaded { settings, effective, .. } = loaded;
        Self { settings, effective, files: Some(files), instead_of: None }
    }

    /// The last good configuration, because of these problems of `files`.
    #[must_use]
    pub fn last_good(loaded: Loaded, files: Files, problems: Problems) -> Self {
        Self { instead_of: Some(problems), ..Self::of(loaded, files) }
    }
}

impl From<Settings> for Configured {
    /// Settings without files: they stay as they are.
    fn from(settings: Settings) -> Self {
        Self { settings, effective: Effective::empty(), files: None, instead_of: None }
    }
}
