//! Credentials through the front door, over their whole life: a real server, a real store, restarts between.
#![allow(clippy::unwrap_used, reason = "in tests, a panic is how a failure shows")]

mod ends;
mod limits;
mod rotation;
#[path = "../support/mod.rs"]
mod support;
mod uses;

use support::client::{Answer, Call};
use support::{Appliance, SECRET, Setup};
use tidings::auth::{ApiKeySettings, KeptKey, Terms, scope};
use tidings::base::secret::SecretHash;

const EVENTS: &str = "/v1/events";
const KEY: &str = "tdg_billing1_a-secret-of-the-tests";
const EVENT: &str = r#"{"type":"301"}"#;

/// The defaults with the API key `billing`.
fn with_key() -> Setup {
    Setup { tune_auth: |auth| auth.api_keys.push(billing()), ..Setup::default() }
}

fn billing() -> ApiKeySettings {
    ApiKeySettings {
        id: "billing".into(),
        organisation: None,
        keys: vec![KeptKey { public: "billing1".to_owned(), secret: SecretHash::of(KEY.as_bytes()).into() }],
        scopes: [scope::PUBLISH.to_owned()].into(),
        terms: Terms::default(),
    }
}

/// Publishes with a token.
async fn publish(appliance: &Appliance, token: &str) -> Answer {
    let call = Call::post(EVENTS, "", EVENT).without_token();
    appliance.send(call.header("authorization", &format!("Bearer {token}"))).await
}

/// Publishes with an API key.
async fn publish_with_key(appliance: &Appliance, key: &str) -> Answer {
    appliance.send(Call::post(EVENTS, "", EVENT).without_token().header("x-api-key", key)).await
}

/// Calls a path of the token endpoint as `client`, with `more` parameters.
async fn post_form(appliance: &Appliance, path: &str, client: &str, more: &str) -> Answer {
    let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let form = format!("client_id={client}&client_secret={secret}&{more}");
    let call = Call::post_as(path, "", "application/x-www-form-urlencoded", form);
    appliance.send(call.without_token()).await
}
