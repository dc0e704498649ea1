//! The token endpoint and the end of tokens: read what a client sends, let the service decide, answer.

use super::answer::{Failure, granted, revoked};
use super::credentials::show;
use super::parameters::Parameters;
use crate::auth::{RevokeError, TokenError, TokenRequest, TokenService};
use crate::base::audit::Actor;
use crate::base::clock::Timestamp;
use crate::http::contract::{Note, Request, Response};

/// What a token request may say (RFC 6749, 4.4.2).
const TOKEN_PARAMETERS: &[&str] = &["grant_type", "client_id", "client_secret", "scope"];
/// What a revocation may say (RFC 7009, 2.1). The hint is known so that it cannot be there twice; it is not needed.
const REVOCATION_PARAMETERS: &[&str] = &["token", "token_type_hint", "client_id", "client_secret"];

/// Answers a token request; `None` if the server failed, which the log tells.
pub(super) fn issue(tokens: &TokenService, request: &Request, now: Timestamp) -> Option<Response> {
    let asked = match read(request) {
        Ok(asked) => asked,
        Err(failure) => return Some(failure.answer()),
    };
    let id = asked.client.id.clone();
    match tokens.issue(&asked, now) {
        Ok(token) => {
            let details = vec![("scope", token.scope.clone().into())];
            let note = Note { principal: Some(Actor::client(&id)), details, reason: None };
            Some(granted(&token).noted(note))
        }
        Err(error) => Failure::from_service(&error, &request.id).map(|failure| noted(&failure, id, &error)),
    }
}

/// The answer with who it was refused, for the audit trail.
fn noted(failure: &Failure, id: String, error: &TokenError) -> Response {
    let mut response = failure.answer();
    if let Some(note) = &mut response.audit {
        note.principal = Some(asker(id, error));
    }
    response
}

/// Who asked, as far as it is shown: the service looks at the secret before all else.
fn asker(id: String, error: &TokenError) -> Actor {
    match error {
        TokenError::InvalidClient
        | TokenError::SecretEnded
        | TokenError::OtherCertificate
        | TokenError::TooMany { .. } => Actor::Claimed { id },
        TokenError::Disabled
        | TokenError::NotFromHere { .. }
        | TokenError::NoGrantType
        | TokenError::UnsupportedGrantType
        | TokenError::InvalidScope { .. }
        | TokenError::NotSigned { .. } => Actor::client(&id),
    }
}

/// Answers a revocation; `None` if the server failed, which the log tells.
pub(super) async fn revoke(tokens: &TokenService, request: &Request, now: Timestamp) -> Option<Response> {
    let read = || {
        let mut parameters = Parameters::parse(&request.headers, &request.body, REVOCATION_PARAMETERS)?;
        let client = show(request, &mut parameters)?;
        let token = parameters.take_secret("token");
        Ok((client, token.ok_or_else(|| Failure::invalid_request("the parameter `token` is missing"))?))
    };
    let (client, token) = match read() {
        Ok(read) => read,
        Err(failure) => return Some(Failure::answer(&failure)),
    };
    match tokens.revoke(&client, &token, now).await {
        Ok(()) => {
            let note = Note { principal: Some(Actor::client(&client.id)), ..Note::default() };
            Some(revoked(&client.id).noted(note))
        }
        Err(RevokeError::Client(error)) => {
            Failure::from_service(&error, &request.id).map(|failure| noted(&failure, client.id, &error))
        }
        Err(error) => Failure::from_revocation(error, &request.id).map(|failure| failure.answer()),
    }
}

fn read(request: &Request) -> Result<TokenRequest, Failure> {
    let mut parameters = Parameters::parse(&request.headers, &request.body, TOKEN_PARAMETERS)?;
    let client = show(request, &mut parameters)?;
    Ok(TokenRequest { client, grant_type: parameters.take("grant_type"), scope: parameters.take("scope") })
}
