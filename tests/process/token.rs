//! Tokens by client credentials (contracts/events.md, "Tokens").

use std::io;
use std::net::SocketAddr;

use super::connection::{once, request};

/// The value of an `Authorization` header for the client `id`, with all of its scopes.
pub(crate) fn bearer(api: SocketAddr, id: &str, secret: &str) -> io::Result<String> {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = once(api, &request("POST", "/oauth2/token", &headers, form.as_bytes()))?.expect_status(200)?;
    let json = answer.json()?;
    let token = json["access_token"].as_str().ok_or_else(|| io::Error::other("an answer without access_token"))?;
    Ok(format!("Bearer {token}"))
}
