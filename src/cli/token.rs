//! `tidings token`: an access token of a client, for trying things out and for scripts.

use clap::Args;

use super::credentials::{Server, granted};
use super::exit::{Exit, Failure};
use super::output;
use super::settings::Configuration;

/// Get an access token for a client and print it
#[derive(Args, Debug)]
pub(super) struct Token {
    /// The client; its secret is taken from the configuration's [[clients]] entry
    #[arg(long, value_name = "ID")]
    client: String,
    /// A scope that the token is to have; may be repeated [default: all of the client's]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Print the token endpoint's answer as it is
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
pub(super) async fn run(arguments: &Token, configuration: &Configuration) -> Result<Exit, Failure> {
    let api = arguments.server.find(configuration)?;
    let secret = configuration.client_secret(&arguments.client)?;
    let scope = (!arguments.scope.is_empty()).then(|| arguments.scope.join(" "));
    let answer = api.token(&arguments.client, &secret, scope.as_deref()).await?;
    let text = if arguments.json { answer.text() } else { granted(&answer)? };
    output::result(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
