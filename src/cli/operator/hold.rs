//! `tidings pause` and `tidings resume`.

use clap::Args;
use serde_json::json;

use super::desk::Admin;
use super::subscriptions::Subscription;
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::settings::Configuration;

/// Hold a subscription: nothing of it is handed out until it is resumed
///
/// What is published is added to it, and deadlines go on: what is not resumed in time expires.
#[derive(Args, Debug)]
pub(in crate::cli) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// End the pause of a subscription
#[derive(Args, Debug)]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    which: Which,
}

#[derive(Args, Debug)]
struct Which {
    /// The subscription
    id: String,
    /// Print the subscription as it is then as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

/// Runs `pause`.
pub(in crate::cli) async fn pause(arguments: &Pause, configuration: &Configuration) -> Result<Exit, Failure> {
    change(&arguments.which, "pause", configuration).await
}

/// Runs `resume`.
pub(in crate::cli) async fn resume(arguments: &Resume, configuration: &Configuration) -> Result<Exit, Failure> {
    change(&arguments.which, "resume", configuration).await
}

async fn change(which: &Which, verb: &str, configuration: &Configuration) -> Result<Exit, Failure> {
    let Which { id, json, admin } = which;
    let desk = admin.desk(configuration).await?;
    let path = format!("/subscriptions/{}/{verb}", segment(id));
    let answer = desk.post(&format!("{verb} {id}"), &path, &json!({})).await?;
    let text = if *json { answer.text() + "\n" } else { sentence(&answer.read("the subscription")?) };
    output::result(&output::printable(&text))?;
    Ok(Exit::Ok)
}

fn sentence(subscription: &Subscription) -> String {
    let (id, held, waits) = (&subscription.id, subscription.held(), subscription.waiting());
    if held.is_empty() {
        return format!("{id} is not held: {} notifications wait to be handed out\n", waits.waiting);
    }
    format!("{id} is held ({held}): {} notifications wait for that to end\n", waits.held)
}
