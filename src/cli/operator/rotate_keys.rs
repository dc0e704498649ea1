//! `tidings rotate-keys`.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::desk::Admin;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// Make a new key that signs the tokens of the token endpoint from now on
///
/// Tokens that were issued before are good until they end by themselves, and the public keys are shown at /oauth2/jwks as
/// long.
#[derive(Args, Debug)]
pub(in crate::cli) struct RotateKeys {
    /// End all tokens that were issued so far: for a key that somebody has got hold of
    #[arg(long)]
    forget_old: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    key_id: String,
    replaced: String,
    accepted_until: Option<String>,
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &RotateKeys, configuration: &Configuration) -> Result<Exit, Failure> {
    let desk = arguments.admin.desk(configuration).await?;
    let body = json!({ "forgetOld": arguments.forget_old });
    let answer = desk.post("rotate the keys", "/signing-keys/rotations", &body).await?;
    let text = if arguments.json { answer.text() + "\n" } else { sentence(&answer.read("the answer")?) };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

fn sentence(rotation: &Rotation) -> String {
    let Rotation { key_id, replaced, accepted_until } = rotation;
    let old = match accepted_until {
        Some(until) => format!("tokens of the key {replaced} are good until they end, at the latest at {until}"),
        None => "no token that was issued before is good any more".to_owned(),
    };
    format!("the key {key_id} signs the tokens now; {old}\n")
}
