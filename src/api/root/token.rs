//! The token endpoint: reads what a client sends, lets the service decide, and answers.

use super::answer::{Failure, granted};
use super::credentials::Credentials;
use super::parameters::Parameters;
use crate::auth::{TokenRequest, TokenService};
use crate::base::clock::Timestamp;
use crate::http::contract::{Request, Response};

/// Answers a token request; `None` if the server failed, which the log tells.
pub(super) fn answer(tokens: &TokenService, request: &Request, now: Timestamp) -> Option<Response> {
    let issued = match read(request) {
        Ok(asked) => tokens.issue(&asked, now),
        Err(failure) => return Some(failure.answer()),
    };
    match issued {
        Ok(token) => Some(granted(&token)),
        Err(error) => Failure::from_service(&error, &request.id).map(|failure| failure.answer()),
    }
}

fn read(request: &Request) -> Result<TokenRequest, Failure> {
    let mut parameters = Parameters::parse(&request.headers, &request.body)?;
    let Credentials { id, secret } = Credentials::take(&request.headers, &mut parameters)?;
    let Parameters { grant_type, client_id: _, client_secret: _, scope } = parameters;
    Ok(TokenRequest { grant_type, client_id: id, client_secret: secret, scope })
}
