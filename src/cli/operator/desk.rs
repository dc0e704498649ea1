//! Where the operator half is asked, and as whom: on the admin unix socket as the process's own user, over TCP with a
//! token.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

use crate::cli::client::{Answer, Call, Target};
use crate::cli::credentials::{Credentials, Server};
use crate::cli::desk;
use crate::cli::exit::{Exit, Failure};
use crate::cli::refusal::refused;
use crate::cli::settings::Configuration;

/// How long a call may take that works through many notifications.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where the operator half is, and who asks.
#[derive(Args, Debug)]
pub(in crate::cli) struct Admin {
    #[arg(
        long = "admin",
        value_name = "URL",
        help = "The admin listener, such as unix:/run/tidings/admin.sock or http://127.0.0.1:8421 [default: the \
                configuration's unix socket, else its first address]"
    )]
    url: Option<String>,
    /// Over TCP: the client to act as; its secret is taken from the configuration's [[clients]] entry
    #[arg(long = "as", value_name = "CLIENT")]
    acts_as: Option<String>,
    /// Over TCP: an access token of scope notifications:operate
    #[arg(long, value_name = "TOKEN", env = "TIDINGS_TOKEN", hide_env_values = true, conflicts_with = "acts_as")]
    token: Option<String>,
}

/// The operator half of a running appliance.
pub(super) struct Desk {
    target: Target,
    mount: String,
    authorization: Option<String>,
}

/// Where the operator half is mounted where no configuration says so.
const MOUNT: &str = "/v1";

/// Where the operator half is mounted.
pub(in crate::cli) fn mount(configuration: &Configuration) -> Result<String, Failure> {
    let loaded = configuration.load_if_there()?;
    Ok(loaded.map_or_else(|| MOUNT.to_owned(), |loaded| loaded.settings.operator.mount))
}

impl Admin {
    /// That of a command that asks for it by other names.
    pub(in crate::cli) const fn of(url: Option<String>, acts_as: Option<String>, token: Option<String>) -> Self {
        Self { url, acts_as, token }
    }

    /// The operator half that is meant, with a token where one is needed.
    pub(super) async fn desk(&self, configuration: &Configuration) -> Result<Desk, Failure> {
        if self.url.is_none() {
            // Without files there is nothing to go by.
            configuration.load_running()?;
        }
        let target = desk::find(self, configuration).await?;
        let authorization = if target.is_local_socket() { None } else { Some(self.authorize(configuration).await?) };
        Ok(Desk { target, mount: mount(configuration)?, authorization })
    }

    /// Where the listener is, if that was said.
    pub(in crate::cli) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The value of `Authorization` that is needed over TCP.
    pub(in crate::cli) async fn authorize(&self, configuration: &Configuration) -> Result<String, Failure> {
        if self.acts_as.is_none() && self.token.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                "over TCP a token is needed: say who acts with --as CLIENT (its secret is taken from the configuration), \
                 or give --token or TIDINGS_TOKEN; the admin unix socket needs none",
            ));
        }
        let credentials = Credentials::of(self.acts_as.clone(), self.token.clone());
        credentials.authorize_at(|| Server::default().find(configuration), configuration).await
    }
}

impl Desk {
    /// Asks for what is at `path` below the mount; `what` is what cannot be done if that is refused.
    pub(super) async fn get(&self, what: &str, path: &str) -> Result<Answer, Failure> {
        self.send(what, Call::get(format!("{}{path}", self.mount))).await
    }

    /// Asks to do what is at `path`.
    pub(super) async fn post(&self, what: &str, path: &str, body: &Value) -> Result<Answer, Failure> {
        let call = Call::post(format!("{}{path}", self.mount), "application/json", body.to_string());
        self.send(what, Call { limit: PATIENCE, ..call }).await
    }

    /// Asks to end what is at `path`.
    pub(super) async fn delete(&self, what: &str, path: &str) -> Result<Answer, Failure> {
        let call = Call::get(format!("{}{path}", self.mount));
        self.send(what, Call { method: Method::DELETE, ..call }).await
    }

    async fn send(&self, what: &str, mut call: Call) -> Result<Answer, Failure> {
        if let Some(authorization) = &self.authorization {
            call = call.header(AUTHORIZATION, authorization);
        }
        let answer = self.target.send(call).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused(what, &answer)) }
    }
}
