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
        Err(error) => refused(id, &error, &request.id),
    }
}

/// The refusal, with who asked for the audit trail; `None` if the server failed, which the log tells.
fn refused(id: String, error: &TokenError, request_id: &str) -> Option<Response> {
    Failure::from_service(error, request_id).map(|failure| failure.answer_to(asker(id, error)))
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
        Ok((show(request, &mut parameters)?, parameters.take_secret("token")))
    };
    let (client, token) = match read() {
        Ok(read) => read,
        Err(failure) => return Some(Failure::answer(&failure)),
    };
    match tokens.revoke(&client, token.as_ref(), now).await {
        Ok(()) => {
            let note = Note { principal: Some(Actor::client(&client.id)), ..Note::default() };
            Some(revoked(&client.id).noted(note))
        }
        Err(RevokeError::Client(error)) => refused(client.id, &error, &request.id),
        Err(error) => {
            let failure = Failure::from_revocation(error, &request.id);
            failure.map(|failure| failure.answer_to(Actor::client(&client.id)))
        }
    }
}

fn read(request: &Request) -> Result<TokenRequest, Failure> {
    let mut parameters = Parameters::parse(&request.headers, &request.body, TOKEN_PARAMETERS)?;
    let client = show(request, &mut parameters)?;
    Ok(TokenRequest { client, grant_type: parameters.take("grant_type"), scope: parameters.take("scope") })
}
