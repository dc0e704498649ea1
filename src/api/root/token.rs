//! The token endpoint: reads what a client sends, lets the service decide, and answers.

use super::answer::{Failure, granted};
use super::credentials::Credentials;
use super::parameters::Parameters;
use crate::auth::{TokenError, TokenRequest, TokenService};
use crate::base::audit::Actor;
use crate::base::clock::Timestamp;
use crate::base::secret::SecretString;
use crate::http::contract::{Note, Request, Response};

/// Answers a token request; `None` if the server failed, which the log tells.
pub(super) fn answer(tokens: &TokenService, request: &Request, now: Timestamp) -> Option<Response> {
    let (asked, unencoded) = match read(request) {
        Ok(read) => read,
        Err(failure) => return Some(failure.answer()),
    };
    let id = asked.client_id.clone();
    let issued = match (tokens.issue(&asked, now), unencoded) {
        (Err(TokenError::InvalidClient), Some(client_secret)) => {
            tokens.issue(&TokenRequest { client_secret, ..asked }, now)
        }
        (issued, _) => issued,
    };
    match issued {
        Ok(token) => {
            let details = vec![("scope", token.scope.clone().into())];
            let note = Note { principal: Some(Actor::client(&id)), details, reason: None };
            Some(granted(&token).noted(note))
        }
        Err(error) => {
            let mut response = Failure::from_service(&error, &request.id)?.answer();
            if let Some(note) = &mut response.audit {
                note.principal = Some(asker(id, &error));
            }
            Some(response)
        }
    }
}

/// Who asked, as far as it is shown: the service looks at the secret before all else.
fn asker(id: String, error: &TokenError) -> Actor {
    match error {
        TokenError::InvalidClient => Actor::Claimed { id },
        TokenError::NoGrantType
        | TokenError::UnsupportedGrantType
        | TokenError::InvalidScope { .. }
        | TokenError::NotSigned { .. } => Actor::client(&id),
    }
}

/// What is asked for, and another secret to try if the first is wrong.
fn read(request: &Request) -> Result<(TokenRequest, Option<SecretString>), Failure> {
    let mut parameters = Parameters::parse(&request.headers, &request.body)?;
    let Credentials { id, secret, unencoded } = Credentials::take(&request.headers, &mut parameters)?;
    let Parameters { grant_type, client_id: _, client_secret: _, scope } = parameters;
    Ok((TokenRequest { grant_type, client_id: id, client_secret: secret, scope }, unencoded))
}
