//! Who may call an operation, as a document says it.

use std::collections::BTreeSet;

use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityRequirement,
    SecurityScheme,
};

use crate::auth::scope;
use crate::http::contract::Access;

const TOKEN: &str = "token";
const KEY: &str = "key";
const CLIENT: &str = "client";

/// What the operations of a contract ask for.
#[derive(Default)]
pub(super) struct Security {
    scopes: BTreeSet<&'static str>,
    tokens: bool,
    keys: bool,
    clients: bool,
}

impl Security {
    /// What an operation with this access asks for: one of these.
    pub(super) fn of(&mut self, access: Access, client_authenticates: bool) -> Vec<SecurityRequirement> {
        match access {
            Access::Public if client_authenticates => {
                self.clients = true;
                // Its secret may stand in the body instead.
                vec![SecurityRequirement::new(CLIENT, [] as [&str; 0]), SecurityRequirement::default()]
            }
            Access::Public => Vec::new(),
            Access::Token => vec![self.token(None)],
            Access::Scope(scope) => vec![self.token(Some(scope))],
            Access::Key(scope) => {
                self.keys = true;
                vec![SecurityRequirement::new(KEY, [scope])]
            }
            Access::ScopeOrKey(scope) => {
                self.keys = true;
                vec![self.token(Some(scope)), SecurityRequirement::new(KEY, [scope])]
            }
        }
    }

    fn token(&mut self, scope: Option<&'static str>) -> SecurityRequirement {
        self.tokens = true;
        self.scopes.extend(scope);
        SecurityRequirement::new(TOKEN, scope)
    }

    /// The schemes that were asked for, with their names; tokens are got at `token_url`.
    pub(super) fn schemes(&self, token_url: &str) -> Vec<(&'static str, SecurityScheme)> {
        let token = self.tokens.then(|| (TOKEN, self.token_scheme(token_url)));
        let key = self.keys.then(|| (KEY, key_scheme()));
        let client = self.clients.then(|| (CLIENT, client_scheme()));
        token.into_iter().chain(key).chain(client).collect()
    }

    fn token_scheme(&self, token_url: &str) -> SecurityScheme {
        let scopes: Scopes = self.scopes.iter().map(|scope| (*scope, meaning(scope))).collect();
        let flow = Flow::ClientCredentials(ClientCredentials::new(token_url, scopes));
        SecurityScheme::OAuth2(OAuth2::with_description(
            [flow],
            "A bearer token of the built-in token endpoint, or of an issuer that the configuration names in \
             `[[auth.issuers]]`.",
        ))
    }
}

fn key_scheme() -> SecurityScheme {
    let text = "A key that `tidings keygen` made and the configuration names in `[[api_keys]]`, with its scopes.";
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-API-KEY", text)))
}

fn client_scheme() -> SecurityScheme {
    let text = "The client's id and secret (RFC 6749, 2.3.1); they may stand in the body instead.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(text)).build())
}

/// What a scope allows.
fn meaning(name: &str) -> &'static str {
    match name {
        scope::ADMINISTRATOR => "Create and delete subscriptions.",
        scope::CONSUMER => "Read one's own subscriptions and poll them.",
        scope::CREATE_REGISTRATIONS => "Make registrations.",
        scope::VIEW_REGISTRATIONS => "List registrations.",
        scope::EDIT_REGISTRATIONS => "Change registrations.",
        scope::DELETE_REGISTRATIONS => "Delete registrations.",
        scope::ROTATE_REGISTRATION_SECRETS => "Have new secrets made for registrations.",
        scope::VIEW_NOTIFICATIONS => "List the notifications of registrations.",
        scope::RETRY_NOTIFICATIONS => "Retry notifications of registrations that have failed.",
        scope::WEBHOOK_DOMAINS => "Say in which domains the webhooks of registrations may be.",
        scope::PUBLISH => "Publish events.",
        scope::OPERATE => "Look at everything and act as the operator.",
        scope::TRIGGER => "Trigger notifications of customers.",
        scope::CUSTOMERS => "Write customers.",
        "notifications:read" => "Read one's subscriptions.",
        "notifications:write" => "Make, change and delete one's subscriptions.",
        "notifications:replay" => "Have notifications sent again.",
        // A test finds it; but a name of the configuration says what it does by itself.
        _ => "",
    }
}
