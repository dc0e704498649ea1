//! The documents as an appliance serves them.

use serde_json::Value;
use tidings::api::registrations::RegistrationsSettings;

use crate::shipped;
use crate::support::client::Call;
use crate::support::{Appliance, PUBLIC_URL, Setup};

/// The document at `path`, without the URLs that tell where it is.
async fn served(appliance: &Appliance, path: &str, server: &str) -> Value {
    let answer = appliance.send(Call::get(path, "crm").without_token()).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert_eq!(document["servers"][0]["url"], server);
    let token_url = document.pointer("/components/securitySchemes/token/flows/clientCredentials/tokenUrl");
    assert!(token_url.is_none_or(|url| url == &format!("{PUBLIC_URL}/oauth2/token")), "{token_url:?}");
    let text = answer.text().replace(PUBLIC_URL, "");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn each_contract_serves_its_document_to_anyone_with_its_own_urls() {
    let setup = Setup { registrations: Some(RegistrationsSettings::default()), ..Setup::default() };
    let appliance = Appliance::start(setup).await;
    let registrations = ("registrations", "/partner/api/notification/v2");
    for (contract, mount) in
        [("polling", "/notification/v1"), ("events", "/v1"), registrations, ("management", "/notifications/v1")]
    {
        let document = served(&appliance, &format!("{mount}/openapi.json"), &format!("{PUBLIC_URL}{mount}")).await;
        assert_eq!(document, shipped(contract));
    }
    let mut root = served(&appliance, "/openapi.json", PUBLIC_URL).await;
    root["servers"][0]["url"] = "/".into();
    // The public URL has a path, which has its metadata besides (RFC 8414, 3.1).
    assert!(root["paths"].as_object_mut().unwrap().remove("/.well-known/oauth-authorization-server/base").is_some());
    assert_eq!(root, shipped("root"));
}

#[tokio::test]
async fn the_document_is_for_reading_only() {
    let appliance = Appliance::plain().await;
    let posted = appliance.send(Call::post("/v1/openapi.json", "crm", "{}")).await.expect(405);
    assert_eq!(posted.header("allow"), Some("GET"));
    // A bad token does no harm where none is asked for.
    let call = Call::get("/v1/openapi.json", "crm").without_token().header("authorization", "Bearer x");
    appliance.send(call).await.expect(200);
}
