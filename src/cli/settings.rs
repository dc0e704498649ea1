//! The configuration that a command is told of: `--config`, `TIDINGS_CONFIG`, or the packaged place.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::base::secret::SecretString;
use crate::config::{self, Loaded, Problems, Sources};

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

    /// The same, `None` if there is no such file.
    pub(super) fn load_if_there(&self) -> Result<Option<Loaded>, Failure> {
        if self.config.exists() { self.load().map(Some) } else { Ok(None) }
    }

    /// The secret of a client, from its `[[clients]]` entry.
    pub(super) fn client_secret(&self, client: &str) -> Result<SecretString, Failure> {
        // Its problems are the better explanation.
        self.load()?;
        config::client_secret(&self.sources(), client).ok_or_else(|| {
            let text = format!(
                "the configuration has no secret of a client `{client}`: correct the id, or give a --token if only the hash \
                 of the secret stands there"
            );
            Failure::new(Exit::Configuration, text)
        })
    }
}
