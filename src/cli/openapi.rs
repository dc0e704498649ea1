//! `tidings openapi`: the document of a contract, as it is shipped under `config/openapi/`.

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::output;
use crate::api::{admin, events, management, polling, recipients, registrations, root, trigger};
use crate::config::{self, Settings};

/// Print the OpenAPI document of a contract
///
/// It is that of the default settings, with paths for URLs, whatever the configuration says. The document of a running
/// appliance, with its own mounts and URLs, is at /openapi.json below each mount.
#[derive(Args, Debug)]
pub(super) struct Openapi {
    /// Which contract
    #[arg(value_name = "CONTRACT")]
    contract: Contract,
}

/// The contracts that have a document.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Contract {
    Polling,
    Events,
    Recipients,
    Registrations,
    Management,
    Trigger,
    /// What stands outside every mount: the token endpoint and the pages of problems
    Root,
    /// Health, metrics and the configuration, on the admin listener
    Admin,
    /// The operator's part of the events contract, as the admin listener has it
    Operator,
}

/// Runs the command.
pub(super) fn run(arguments: &Openapi) -> Result<Exit, Failure> {
    output::result(&document(arguments.contract))?;
    Ok(Exit::Ok)
}

fn document(contract: Contract) -> String {
    const ENABLED: &str = "the defaults enable it: a test makes each document";
    let Settings { polling, events, operator, root, .. } = config::defaults();
    let public_url = String::new();
    match contract {
        Contract::Polling => polling::document(&polling::PollingSettings { public_url, ..polling.expect(ENABLED) }),
        Contract::Events => events::document(&events::EventsSettings { public_url, ..events.expect(ENABLED) }),
        Contract::Recipients => recipients::document(&recipients::RecipientsSettings {
            mount: "/api/v1/notification".to_owned(),
            scopes: recipients::RecipientsScopes::default(),
            public_url,
            token_path: operator.token_path,
        }),
        Contract::Registrations => registrations::document(&registrations::RegistrationsSettings::default()),
        Contract::Management => management::document(&management::ManagementSettings::default()),
        Contract::Trigger => trigger::document(&trigger::TriggerSettings {
            mount: "/v2/notification".to_owned(),
            aliases: Vec::new(),
            recipient_keys: Vec::new(),
            unknown_recipient: trigger::UnknownRecipient::Refuse,
            repeat_window: std::time::Duration::ZERO,
            unknown_members: polling::UnknownMembers::Ignore,
            public_url,
        }),
        Contract::Root => root::document(root::RootSettings { public_url, ..root }),
        Contract::Admin => admin::document("", &operator.token_path),
        Contract::Operator => events::operator_document(&events::OperatorSettings { public_url, ..operator }),
    }
}
