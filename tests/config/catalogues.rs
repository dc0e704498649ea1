//! The ready-made catalogues under `config/catalogues/`: each is good beside any main file, alone and with the others.

use std::fs;
use std::path::PathBuf;

use tidings::model::catalogue::{Catalogue, EventType};
use tidings::model::id::EventTypeId;
use tidings::model::notification::EndpointKind;
use tidings::model::subscription::ContractName;

use crate::shipped::{json, schema};
use crate::site::Site;

/// What the published documents list (contracts/*.md, marked [s]).
const REGISTRATIONS: [&str; 17] = [
    "WORKSPACE_PARTICIPANT_ADDED",
    "FINANCIAL_SETTLEMENT_SCHEDULE_PREPARED",
    "LODGEMENT_CASE_PREPARED",
    "WORKSPACE_PREPARED",
    "WORKSPACE_FUNDS_AUTHORISED",
    "WORKSPACE_FUNDS_EXCHANGED",
    "WORKSPACE_LODGED",
    "WORKSPACE_CLOSED",
    "WORKSPACE_REQUISITIONED",
    "WORKSPACE_CANCELLED",
    "WORKSPACE_REVERTED_TO_CREATED",
    "TITLE_DATA_RECEIVED",
    "TITLE_SEARCH_PENDING",
    "TITLE_NOT_FOUND",
    "LODGEMENT_CASE_REQUISITIONED",
    "NETTING_COMPLETED",
    "SECRET_EXPIRY",
];
const RECIPIENTS: [&str; 11] = [
    "order_confirm",
    "change_status",
    "chat_ongoing",
    "service_activated",
    "order_terminate",
    "order_update",
    "study_request",
    "study_answered",
    "fon_offer",
    "fon_answered",
    "invoice_available",
];
const TRIGGER: [&str; 4] =
    ["partnerSubscriptionAdded", "partnerSubscriptionUpdated", "partnerSubscriptionCancelled", "accountValidate"];

fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/config/catalogues").into()
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap()
}

/// The catalogue of a site that has these as drop-ins.
fn catalogue(names: &[&str]) -> Catalogue {
    let site = names.iter().fold(Site::new("events.catalogue = \"closed\""), |site, name| {
        site.with(&format!("conf.d/{name}.toml"), text(name))
    });
    let loaded = site.loaded();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.settings.engine.catalogue
}

/// The ids in order, and that all types are of this contract alone.
fn ids(catalogue: &Catalogue, contract: ContractName) -> Vec<&str> {
    let is_of = |t: &EventType| t.contracts.as_ref().is_some_and(|contracts| contracts.iter().eq([contract.as_str()]));
    assert!(catalogue.iter().all(is_of));
    let mut ids: Vec<_> = catalogue.iter().map(|t| t.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn sorted<const N: usize>(mut ids: [&str; N]) -> [&str; N] {
    ids.sort_unstable();
    ids
}

#[test]
fn each_lists_what_its_contract_lists() {
    let registrations = catalogue(&["registrations"]);
    assert_eq!(ids(&registrations, ContractName::Registrations), sorted(REGISTRATIONS));
    for (index, id) in REGISTRATIONS.into_iter().enumerate() {
        let is_open = |kind| registrations.is_open_to(id, ContractName::Registrations, kind);
        let webhook = index < 14 || id == "SECRET_EXPIRY";
        assert_eq!((is_open(EndpointKind::Webhook), is_open(EndpointKind::Email)), (webhook, !webhook), "{id}");
        assert_eq!(registrations.requires_audience(id), id != "SECRET_EXPIRY", "{id}");
    }
    let mandatory = registrations.mandatory(EndpointKind::Webhook);
    assert!(mandatory.iter().map(EventTypeId::as_str).eq(["SECRET_EXPIRY"]));
    let management = catalogue(&["management"]);
    assert_eq!(ids(&management, ContractName::Management), ["ONTActivation"]);
    assert!(management.requires_audience("ONTActivation"));
    assert_eq!(management.get("ONTActivation").unwrap().attributes, ["status", "opticalStatus"]);
    let recipients = catalogue(&["recipients"]);
    assert_eq!(ids(&recipients, ContractName::Recipients), sorted(RECIPIENTS));
    assert!(RECIPIENTS.iter().all(|id| recipients.requires_audience(id)));
    let trigger = catalogue(&["trigger"]);
    assert_eq!(ids(&trigger, ContractName::Trigger), sorted(TRIGGER));
    assert!(!TRIGGER.iter().any(|id| trigger.requires_audience(id)), "the customer is found by the parameters");
}

#[test]
fn they_go_together_and_keep_to_the_schema() {
    let mut names: Vec<_> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    let names: Vec<_> = names.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["management", "recipients", "registrations", "trigger"], "another one needs a test");
    assert_eq!(catalogue(&names).iter().count(), 33);
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for name in names {
        assert!(schema.validate(&json(&text(name))).is_ok(), "{name}");
    }
}

#[test]
fn all_of_them_go_with_the_files_that_are_shipped() {
    let configuration = folder().join("..");
    for main in ["tidings.toml", "quickstart.toml"] {
        let site = Site::new(&fs::read_to_string(configuration.join(main)).unwrap());
        let site = ["management", "recipients", "registrations", "trigger"]
            .iter()
            .fold(site, |site, name| site.with(&format!("conf.d/{name}.toml"), text(name)));
        let loaded = site.loaded();
        assert!(loaded.warnings.iter().all(|warning| !warning.to_string().contains("conf.d")), "{main}");
        let catalogue = loaded.settings.engine.catalogue;
        assert!(
            REGISTRATIONS.iter().chain(&RECIPIENTS).chain(&TRIGGER).all(|id| catalogue.get(id).is_some()),
            "{main}"
        );
    }
}
