//! Which server a command talks to, and as whom.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use hyper::header::AUTHORIZATION;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::client::{Answer, Call, Target};
use super::exit::{Exit, Failure};
use super::refusal::refused;
use super::settings::Configuration;
use crate::base::secret::{ExposeSecret as _, SecretString};
use crate::config::Settings;

/// What may stand in a path's segment unescaped (RFC 3986, 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which server.
#[derive(Args, Debug, Default)]
pub(super) struct Server {
    #[arg(
        long,
        value_name = "URL",
        help = "The contracts' base URL, such as http://127.0.0.1:8420 or unix:/run/tidings/api.sock [default: where the \
                configuration's server listens]"
    )]
    url: Option<String>,
}

/// As whom.
#[derive(Args, Debug)]
pub(super) struct Credentials {
    /// The client to act as; its secret is taken from the configuration's [[clients]] entry
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// An access token to use instead of getting one
    #[arg(long, value_name = "TOKEN", env = "TIDINGS_TOKEN", hide_env_values = true, conflicts_with = "client")]
    token: Option<String>,
}

/// A server, and where its contracts are mounted.
#[derive(Debug)]
pub(super) struct Api {
    target: Target,
    mounts: Mounts,
}

/// Where a server has what the commands call; `None` where a contract is not enabled.
#[derive(Debug)]
struct Mounts {
    token_path: String,
    polling: Option<String>,
    events: Option<String>,
}

/// What the token endpoint answers (RFC 6749, 5.1), as far as it matters here.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

impl Server {
    /// The URL that was given.
    pub(super) fn url(&self) -> Option<String> {
        self.url.clone()
    }

    /// The server that is meant. With a URL no configuration is needed: without one the mounts are the defaults.
    pub(super) fn find(&self, configuration: &Configuration) -> Result<Api, Failure> {
        let Some(url) = &self.url else {
            let settings = configuration.load_running()?.settings;
            let listen = settings.server.listen.first();
            let listen = listen.ok_or_else(|| Failure::new(Exit::Configuration, "`server.listen` names no address"))?;
            return Ok(Api { target: Target::of(listen), mounts: Mounts::configured(&settings) });
        };
        let target = Target::parse(url)?;
        let loaded = configuration.load_if_there()?;
        let mounts = loaded.map_or_else(Mounts::default, |loaded| Mounts::configured(&loaded.settings));
        Ok(Api { target, mounts })
    }
}

impl Default for Mounts {
    fn default() -> Self {
        Self {
            token_path: "/oauth2/token".to_owned(),
            polling: Some("/notification/v1".to_owned()),
            events: Some("/v1".to_owned()),
        }
    }
}

impl Mounts {
    fn configured(settings: &Settings) -> Self {
        Self {
            token_path: settings.root.token_paths.first().cloned().unwrap_or_default(),
            polling: settings.polling.as_ref().map(|p| p.mount.clone()),
            events: settings.events.as_ref().map(|e| e.mount.clone()),
        }
    }
}

impl Api {
    /// Sends a call.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, Failure> {
        self.target.send(call).await
    }

    /// The path of an operation of the events contract.
    pub(super) fn events(&self, operation: &str) -> Result<String, Failure> {
        below(self.mounts.events.as_deref(), "events", operation)
    }

    /// The path of an operation of the polling contract.
    pub(super) fn polling(&self, operation: &str) -> Result<String, Failure> {
        below(self.mounts.polling.as_deref(), "polling", operation)
    }

    /// Asks the token endpoint for a token of `client`; the answer is a success.
    pub(super) async fn token(
        &self,
        client: &str,
        secret: &SecretString,
        scope: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = scope {
            form.append_pair("scope", scope);
        }
        let call = Call::post(self.mounts.token_path.as_str(), "application/x-www-form-urlencoded", form.finish());
        let answer = self.send(call.header(AUTHORIZATION, basic(client, secret))).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(token_refused(client, &answer)) }
    }
}

impl Credentials {
    /// The client and the token that were given.
    pub(super) fn parts(&self) -> (Option<String>, Option<String>) {
        (self.client.clone(), self.token.clone())
    }

    /// The client that was named.
    pub(super) fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Those of a command that asks for them by other names.
    pub(super) const fn of(client: Option<String>, token: Option<String>) -> Self {
        Self { client, token }
    }

    /// The same as [`Credentials::authorize`]; the server is looked at only where a token has to be got.
    pub(super) async fn authorize_at(
        &self,
        api: impl FnOnce() -> Result<Api, Failure>,
        configuration: &Configuration,
    ) -> Result<String, Failure> {
        match &self.token {
            Some(token) => Ok(format!("Bearer {token}")),
            None => self.authorize(&api()?, configuration).await,
        }
    }

    /// The value of the `Authorization` header: of the token that was given, or of one for the client.
    pub(super) async fn authorize(&self, api: &Api, configuration: &Configuration) -> Result<String, Failure> {
        let token = match (&self.token, &self.client) {
            (Some(token), _) => token.clone(),
            (None, Some(client)) => granted(&api.token(client, &configuration.client_secret(client)?, None).await?)?,
            (None, None) => {
                return Err(Failure::new(
                    Exit::Usage,
                    "say who acts: --client ID (its secret is taken from the configuration), or --token or TIDINGS_TOKEN",
                ));
            }
        };
        Ok(format!("Bearer {token}"))
    }
}

/// The token in an answer of the token endpoint.
pub(super) fn granted(answer: &Answer) -> Result<String, Failure> {
    let Granted { access_token } = answer.read("the token endpoint's answer")?;
    Ok(access_token)
}

/// `segment` as one segment of a path.
pub(super) fn segment(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

fn below(mount: Option<&str>, contract: &str, operation: &str) -> Result<String, Failure> {
    let mount = mount.ok_or_else(|| {
        Failure::new(Exit::Configuration, format!("the contract is switched off: set `api.{contract}.enabled = true`"))
    })?;
    Ok(format!("{mount}{operation}"))
}

/// HTTP Basic with both parts form-encoded first (RFC 6749, 2.3.1).
fn basic(client: &str, secret: &SecretString) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client), encode(secret.expose_secret()))))
}

/// RFC 6749, 5.2 answers a wrong scope with 400, and a wrong secret with 401 or 400: both mean that it is not allowed.
fn token_refused(client: &str, answer: &Answer) -> Failure {
    let failure = refused(&format!("get a token for {client}"), answer);
    let exit = if failure.exit == Exit::Usage { Exit::NotAllowed } else { failure.exit };
    Failure { exit, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_encoded_inside_basic() {
        let header = basic("a:b", &SecretString::from("p w+ü"));
        let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(decoded, b"a%3Ab:p+w%2B%C3%BC");
    }

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        assert_eq!(segment("a/../b?c é"), "a%2F..%2Fb%3Fc%20%C3%A9");
    }
}
