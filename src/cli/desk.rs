//! The admin listener of the running appliance, for what concerns its configuration: found where the files say, also
//! where they are bad, or where those say that ran last.

use hyper::header::AUTHORIZATION;

use super::client::{Answer, Call, Target};
use super::exit::{Exit, Failure};
use super::operator::Admin;
use super::settings::Configuration;
use crate::app::last_good;
use crate::config::{self, Fallback};
use crate::http::settings::ListenAddress;

/// Sends `call` to the first address at which there is an appliance.
pub(super) async fn ask(
    admin: &Admin,
    configuration: &Configuration,
    call: impl Fn() -> Call,
) -> Result<Answer, Failure> {
    let mut unreachable: Option<Failure> = None;
    for target in targets(admin, configuration)? {
        let mut call = call();
        if !target.is_local_socket() {
            call = call.header(AUTHORIZATION, admin.authorize(configuration).await?);
        }
        match target.send(call).await {
            Err(failure) if failure.exit == Exit::Unreachable => {
                let before = unreachable.map_or_else(String::new, |failure| failure.text + "\n");
                unreachable = Some(Failure::new(Exit::Unreachable, before + &failure.text));
            }
            outcome => return outcome,
        }
    }
    Err(unreachable.unwrap_or_else(|| Failure::new(Exit::Configuration, "`admin.listen` names no address to ask")))
}

/// Where the admin listener may be, best first.
pub(super) fn addresses(configuration: &Configuration) -> Vec<ListenAddress> {
    let sources = configuration.sources();
    let Fallback { data_dir, admin: mut addresses, .. } = config::fallback(&sources);
    if let Some(Ok(loaded)) = last_good::read(&data_dir, &sources) {
        let more: Vec<_> = loaded.settings.admin.listen.into_iter().filter(|a| !addresses.contains(a)).collect();
        addresses.extend(more);
    }
    addresses
}

/// Where it may be, unix sockets first: they need no token, and where there is one the others are not tried.
fn targets(admin: &Admin, configuration: &Configuration) -> Result<Vec<Target>, Failure> {
    if let Some(url) = admin.url() {
        return Ok(vec![Target::parse(url)?]);
    }
    let mut addresses = addresses(configuration);
    let is_socket = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
    if addresses.iter().any(is_socket) {
        addresses.retain(is_socket);
    }
    Ok(addresses.iter().map(Target::of).collect())
}
