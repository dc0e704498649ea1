//! The configuration that a command is told of: `--config`, `TIDINGS_CONFIG`, or the packaged place.

use std::path::PathBuf;
use std::sync::Once;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output;
use crate::app::last_good;
use crate::base::secret::SecretString;
use crate::config::{self, Fallback, Loaded, Problems, Sources};

/// That the files are bad is told once.
static TOLD: Once = Once::new();

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub(super) struct Configuration {
    /// The configuration file; conf.d/ beside it is read too
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TIDINGS_CONFIG",
        default_value = "/etc/tidings/tidings.toml"
    )]
    config: PathBuf,
}

impl Configuration {
    /// Where everything is read from.
    pub(super) fn sources(&self) -> Sources {
        Sources::of_process(&self.config)
    }

    /// The configuration, or all of its problems.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        config::load(&self.sources()).map_err(|problems| self.refusal(&problems))
    }

    /// That the configuration cannot be used, with all of its problems.
    pub(super) fn refusal(&self, problems: &Problems) -> Failure {
        let advice = if self.config.exists() {
            "the configuration cannot be used: correct the above"
        } else {
            "name the configuration file with --config or TIDINGS_CONFIG"
        };
        Failure::new(Exit::Configuration, format!("{problems}\n{advice}"))
    }

    /// What a running appliance goes by: what the files say or, if they are bad, the last good configuration.
    pub(super) fn load_running(&self) -> Result<Loaded, Failure> {
        self.usable().map(|(loaded, _)| loaded)
    }

    /// The same, `None` if there is no such file.
    pub(super) fn load_if_there(&self) -> Result<Option<Loaded>, Failure> {
        if self.config.exists() { self.load_running().map(Some) } else { Ok(None) }
    }

    /// What can be used, and where it was read from.
    fn usable(&self) -> Result<(Loaded, Sources), Failure> {
        let sources = self.sources();
        let problems = match config::load(&sources) {
            Ok(loaded) => return Ok((loaded, sources)),
            Err(problems) => problems,
        };
        let Fallback { data_dir, .. } = config::fallback(&sources);
        let refusal = || self.refusal(&problems);
        let Some(Ok(sources)) = last_good::sources(&data_dir, &sources) else { return Err(refusal()) };
        let loaded = config::load(&sources).map_err(|_| refusal())?;
        TOLD.call_once(|| {
            output::remark("the files are bad (tidings check): going by the last configuration that ran");
        });
        Ok((loaded, sources))
    }

    /// The secret of a client, from its `[[clients]]` entry.
    pub(super) fn client_secret(&self, client: &str) -> Result<SecretString, Failure> {
        // Its problems are the better explanation.
        let (_, sources) = self.usable()?;
        config::client_secret(&sources, client).ok_or_else(|| {
            let text = format!(
                "the configuration has no secret of a client `{client}`: correct the id, or give a --token if only the hash \
                 of the secret stands there"
            );
            Failure::new(Exit::Configuration, text)
        })
    }
}
