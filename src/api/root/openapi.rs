//! The root's OpenAPI document.

use std::time::Duration;

use serde_json::json;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::answer::{Answer, Done, ErrorAnswer, Failure, granted, revoked};
use super::contract::{Operation, explain, no_such_problem, refused, routes};
use super::metadata::{self, Metadata, WebhookKeySet, WireKeys};
use super::parameters::{Wire, WireRevocation};
use super::settings::RootSettings;
use crate::api::openapi::{self, Description, Outline, Shape, path};
use crate::api::problem::Problem;
use crate::auth::{IssuedToken, PublishedKey, RevokeError, TokenError};
use crate::base::clock::Timestamp;
use crate::http::contract::Route;

/// The document of the root with these settings; without a public URL it holds wherever it is found. The token paths
/// are kept as long as the process runs.
#[must_use]
pub fn document(settings: RootSettings) -> String {
    let public_url = settings.public_url.clone();
    write(&routes(settings), &public_url)
}

/// The document of the root with these routes.
pub(super) fn write(routes: &[Route<Operation>], public_url: &str) -> String {
    let outline = Outline {
        title: "Tokens and problems",
        text: "What stands outside every mount: the token endpoint, which speaks OAuth 2.0 (RFC 6749), the public keys of \
               webhooks, and the pages that explain problems. What the server refuses before the endpoint is asked is an RFC 9457 problem.",
        server: public_url.to_owned(),
        public_url,
        // No operation here takes a token.
        token_url: String::new(),
        routes,
        describe: &|operation| describe(operation, public_url),
        refuse: &|refusal| refused(refusal, public_url),
        error: Shape::of::<ErrorAnswer<'_>>(),
    };
    outline.write()
}

fn describe(operation: Operation, public_url: &str) -> Description {
    match operation {
        Operation::Token => token(),
        Operation::Revoke => revoke(),
        Operation::Metadata => metadata(public_url),
        Operation::Keys => keys(),
        Operation::WebhookKeys => webhook_keys(),
        Operation::Problem => problem(public_url),
        Operation::Document => openapi::describe(),
    }
}

fn token() -> Description {
    let issued = IssuedToken {
        access_token: "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJjcm0ifQ.c2lnbmF0dXJl".into(),
        expires_in: Duration::from_hours(1),
        scope: "events:publish".to_owned(),
    };
    let example = json!({
        "grant_type": "client_credentials",
        "client_id": "crm",
        "client_secret": "a secret",
        "scope": "events:publish",
    });
    let description = Description::new(
        "Get an access token",
        "The client credentials grant (RFC 6749, 4.4). The client shows who it is by HTTP Basic or in the body, not in \
         both, or by the certificate of its TLS connection. Unknown parameters are ignored, repeated ones refused.",
    )
    .takes("application/x-www-form-urlencoded", Shape::of::<Wire>(), &[("form", example.clone())])
    .takes("application/json", Shape::of::<Wire>(), &[("json", example)])
    .answers("granted", "The token.", Shape::of::<Answer<'_>>(), &granted(&issued))
    .fails(
        "invalid-request",
        "The request is not well formed, or asks for a grant or a scope that the client cannot have.",
        &Failure::invalid_request("the parameter `scope` is there twice").answer(),
    );
    by_client(description)
}

fn revoke() -> Description {
    let example = json!({"token": "eyJhbGciOi…", "client_id": "crm", "client_secret": "a secret"});
    let description = Description::new(
        "Revoke an access token",
        "A token of the client itself is good for nothing any more (RFC 7009). One that is unknown, or none, is \
         answered in the same way. The client shows who it is as it does to get a token.",
    )
    .takes("application/x-www-form-urlencoded", Shape::of::<WireRevocation>(), &[("form", example.clone())])
    .takes("application/json", Shape::of::<WireRevocation>(), &[("json", example)])
    .answers("revoked", "It is good for nothing, or never was good for anything.", Shape::of::<Done>(), &revoked("crm"))
    .fails(
        "invalid-request",
        "The request is not well formed, or the token is another client's.",
        &Failure::invalid_request("the parameter `token` is missing").answer(),
    );
    let full = Failure::from_revocation(RevokeError::Full { wait: Duration::from_mins(1) }, "");
    failing(by_client(description), "full", "It cannot be kept that the token is revoked: it is still good.", full)
}

/// What can be said against a client that calls.
fn by_client(description: Description) -> Description {
    let from_afar = "the client may not call from 192.0.2.1: ask the operator".to_owned();
    let often = "too many failures of this client";
    let cases = [
        ("invalid-client", "The client is not known, or its secret is wrong.", TokenError::InvalidClient),
        ("disabled", "The client is not enabled.", TokenError::Disabled),
        ("not-from-here", "The client may not call from this address.", TokenError::NotFromHere { detail: from_afar }),
        (
            "slow-down",
            "There were too many calls or failures.",
            TokenError::TooMany { detail: often, wait: Duration::from_mins(1) },
        ),
    ];
    cases.into_iter().fold(description.client_authenticates(), |description, (name, when, error)| {
        failing(description, name, when, Failure::from_service(&error, ""))
    })
}

/// `description` with an end that the server is not to blame for.
fn failing(description: Description, name: &'static str, when: &str, failure: Option<Failure>) -> Description {
    match failure {
        Some(failure) => description.fails(name, when, &failure.answer()),
        None => description,
    }
}

fn metadata(public_url: &str) -> Description {
    let settings = RootSettings {
        token_paths: vec!["/oauth2/token".to_owned()],
        public_url: public_url.to_owned(),
        certificates: false,
    };
    let example = metadata::answer(&Metadata::new(&settings).to_json());
    Description::new("Metadata of the token endpoint", "For clients that find it by its issuer (RFC 8414).").answers(
        "metadata",
        "The metadata.",
        Shape::of::<Metadata>(),
        &example,
    )
}

fn keys() -> Description {
    let key = json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "use": "sig", "alg": "ES256", "kid": "k-1",
    });
    let example = metadata::key_set(json!({"keys": [key]}).to_string());
    Description::new("Public keys", "Those of the built-in tokens, the one that signs first (RFC 7517).").answers(
        "keys",
        "The keys.",
        Shape::of::<WireKeys>(),
        &example,
    )
}

fn webhook_keys() -> Description {
    let key = |key: &str, until| PublishedKey { key: format!("whpk_{key}"), until };
    let keys = vec![
        key("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", None),
        key("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=", Timestamp::parse_rfc3339("2027-01-01T00:00:00Z")),
    ];
    let text = "Those that sign webhooks with `v1a` (Standard Webhooks 1.0.0, Ed25519), the newest first. While there are \
                several, each webhook is signed with all of them.";
    Description::new("Public keys of webhooks", text).answers(
        "keys",
        "The keys.",
        Shape::of::<WebhookKeySet>(),
        &metadata::webhook_keys(&WebhookKeySet::of(keys)),
    )
}

fn problem(public_url: &str) -> Description {
    let names: Vec<_> = Problem::ALL.into_iter().map(|problem| problem.text().name).collect();
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    Description::new("Read what a problem means", "The `type` of a problem that was answered leads here.")
        .parameter(path("name", "The problem's name.", name, "invalid-request"))
        .answers("page", "What it means, and what to do.", Shape::text(), &explain(Problem::InvalidRequest))
        .fails("no-such-problem", "No problem has this name.", &no_such_problem(public_url))
}
