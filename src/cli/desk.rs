//! The admin listener of the running appliance: found where the files say, also where they are bad, or where those say
//! that ran last.

use hyper::header::AUTHORIZATION;

use super::client::{Answer, Call, Target};
use super::exit::{Exit, Failure};
use super::operator::Admin;
use super::settings::Configuration;
use crate::app::last_good;
use crate::config::{self, Fallback};
use crate::http::settings::ListenAddress;

/// Sends `call` to the appliance.
pub(super) async fn ask(admin: &Admin, configuration: &Configuration, mut call: Call) -> Result<Answer, Failure> {
    let target = find(admin, configuration).await?;
    if !target.is_local_socket() {
        call = call.header(AUTHORIZATION, admin.authorize(configuration).await?);
    }
    target.send(call).await
}

/// The first address at which somebody listens. Only then is anything sent, so that nothing is asked twice.
pub(super) async fn find(admin: &Admin, configuration: &Configuration) -> Result<Target, Failure> {
    let mut unreachable: Option<Failure> = None;
    for target in targets(admin, configuration)? {
        match target.listens().await {
            Ok(()) => return Ok(target),
            Err(failure) if failure.exit == Exit::Unreachable => {
                let before = unreachable.map_or_else(String::new, |failure| failure.text + "\n");
                unreachable = Some(Failure::new(Exit::Unreachable, before + &failure.text));
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(unreachable.unwrap_or_else(|| {
        Failure::new(Exit::Configuration, "`admin.listen` names no address: there is nothing to ask")
    }))
}

/// Where the admin listener may be, best first: where the files say, and where those say that ran last, for a key that
/// waits for a restart is not what runs.
pub(super) fn addresses(configuration: &Configuration) -> Vec<ListenAddress> {
    without_repeats(each(configuration))
}

/// The same, of each configuration for itself.
fn each(configuration: &Configuration) -> [Vec<ListenAddress>; 2] {
    let sources = configuration.sources();
    let Fallback { data_dir, admin: addresses, .. } = config::fallback(&sources);
    let ran = match last_good::read(&data_dir, &sources) {
        Some(Ok(loaded)) => loaded.settings.admin.listen,
        _ => Vec::new(),
    };
    [addresses, ran]
}

fn without_repeats([mut addresses, mut ran]: [Vec<ListenAddress>; 2]) -> Vec<ListenAddress> {
    ran.retain(|address| !addresses.contains(address));
    addresses.append(&mut ran);
    addresses
}

/// Where it may be. Where a configuration has a unix socket, which needs no token, its other addresses are not tried.
fn targets(admin: &Admin, configuration: &Configuration) -> Result<Vec<Target>, Failure> {
    if let Some(url) = admin.url() {
        return Ok(vec![Target::parse(url)?]);
    }
    let is_socket = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
    let mut each = each(configuration);
    for addresses in &mut each {
        if addresses.iter().any(is_socket) {
            addresses.retain(is_socket);
        }
    }
    Ok(without_repeats(each).iter().map(Target::of).collect())
}
