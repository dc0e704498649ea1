//! `tidings rotate-keys`.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::desk::Admin;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// Make a new key that signs the tokens of the token endpoint from now on, or (--webhooks) the webhooks
///
/// Tokens that were issued before are good until they end by themselves, and the public keys are shown at /oauth2/jwks as
/// long. Of webhooks the old key signs on for a week beside the new one: give receivers the new one in that time; both are
/// shown at /.well-known/webhook-keys.
#[derive(Args, Debug)]
pub(in crate::cli) struct RotateKeys {
    /// Make a new key for webhooks instead
    #[arg(long)]
    webhooks: bool,
    /// End all tokens that were issued so far, or no longer sign webhooks with old keys: for a key that somebody has got
    /// hold of
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
    let path = if arguments.webhooks { "/webhook-keys/rotations" } else { "/signing-keys/rotations" };
    let answer = desk.post("rotate the keys", path, &body).await?;
    let sentence = if arguments.webhooks { of_webhooks } else { of_tokens };
    let text = if arguments.json { answer.text() + "\n" } else { sentence(&answer.read("the answer")?) };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

fn of_webhooks(rotation: &Rotation) -> String {
    let Rotation { key_id, replaced, accepted_until } = rotation;
    let old = match accepted_until {
        Some(until) => format!("until {until} {replaced} signs too: give receivers the new key before that"),
        None => "no other key signs any more: receivers need the new one now".to_owned(),
    };
    format!("the key {key_id} signs the webhooks now; {old}\n")
}

fn of_tokens(rotation: &Rotation) -> String {
    let Rotation { key_id, replaced, accepted_until } = rotation;
    let old = match accepted_until {
        Some(until) => format!("tokens of the key {replaced} are good until they end, at the latest at {until}"),
        None => "no token that was issued before is good any more".to_owned(),
    };
    format!("the key {key_id} signs the tokens now; {old}\n")
}
