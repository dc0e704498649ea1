//! A connection to the relay, from its name to the end of AUTH; every step is bounded in time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail_send::{Credentials, SmtpClient};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_START_TLS, EhloResponse};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::session::{PARTING, Session, Wire, judged};
use super::settings::{Login, RelaySettings, Security};
use super::trouble::{Trouble, What};
use super::verdict::Verb;
use crate::base::outbound::{Names, Outbound};
use crate::base::secret::ExposeSecret;

/// How many addresses of the relay's name are tried.
const MAX_ADDRESSES: usize = 8;

/// How long one of them may take.
const ADDRESS_LIMIT: Duration = Duration::from_secs(10);

/// How much longer than one reply all of it may take.
const OPENING_PATIENCE: u32 = 3;

/// Makes connections to the one relay, and to nobody else.
pub(super) struct Connector {
    relay: RelaySettings,
    /// What EHLO says.
    helo: String,
    names: Arc<Names>,
    /// `None` where the relay is talked to without TLS.
    tls: Option<TlsConnector>,
}

impl Connector {
    pub(super) fn new(relay: RelaySettings, outbound: &Outbound) -> Self {
        let secure = relay.security != Security::None;
        let tls = secure.then(|| TlsConnector::from(Arc::new(outbound.tls())));
        let helo = relay.helo.clone().unwrap_or_else(machine_name);
        Self { relay, helo, names: outbound.names(), tls }
    }

    /// A connection that is ready for MAIL FROM.
    pub(super) async fn connect(&self) -> Result<Session, Trouble> {
        let limit = self.relay.timeout.saturating_mul(OPENING_PATIENCE);
        let late = Trouble { verb: Verb::Connect, what: What::TimedOut };
        timeout(limit, self.open()).await.unwrap_or(Err(late))
    }

    async fn open(&self) -> Result<Session, Trouble> {
        let stream = self.dial().await?;
        let mut client = SmtpClient { stream, timeout: self.relay.timeout };
        match self.relay.security {
            Security::Implicit => self.introduce(self.encrypt(client).await?, true).await,
            Security::StartTls => match self.ask_for_tls(&mut client).await {
                Ok(()) => self.introduce(self.encrypt(client).await?, false).await,
                Err(trouble) => Err(parted(client, trouble)),
            },
            Security::None => self.introduce(client, true).await,
        }
    }

    /// Connects to the first address of the relay that can be.
    async fn dial(&self) -> Result<TcpStream, Trouble> {
        let looked_up = timeout(self.relay.timeout, self.addresses()).await;
        let addresses = looked_up.unwrap_or(Err(Trouble { verb: Verb::Connect, what: What::TimedOut }))?;
        let mut trouble = Trouble::failed(Verb::Connect, "resolve", "its name has no address");
        let limit = ADDRESS_LIMIT.min(self.relay.timeout);
        for ip in addresses.into_iter().take(MAX_ADDRESSES) {
            let address = SocketAddr::new(ip.to_canonical(), self.relay.address.port);
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A dialogue of short lines; that it could not be set is no reason not to talk.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => trouble = Trouble::of_io(Verb::Connect, &error),
                Err(_) => trouble = Trouble { verb: Verb::Connect, what: What::TimedOut },
            }
        }
        Err(trouble)
    }

    /// The client would ask the system's resolver, which a static binary must not (it looks for shared libraries).
    async fn addresses(&self) -> Result<Vec<IpAddr>, Trouble> {
        let host = self.relay.address.host.as_str();
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = self.names.lookup(host).await;
        found.map_err(|error| Trouble::failed(Verb::Connect, "resolve", error.to_string()))
    }

    async fn ask_for_tls(&self, client: &mut SmtpClient<TcpStream>) -> Result<(), Trouble> {
        greeted(client).await?;
        let offered = self.hello(client).await?;
        if !offered.has_capability(EXT_START_TLS) {
            let detail = "it does not offer STARTTLS, and without it nothing is sent (email.starttls)";
            return Err(Trouble::failed(Verb::StartTls, "starttls-missing", detail));
        }
        let reply = client.cmd("STARTTLS\r\n").await.map_err(|error| Trouble::of(Verb::StartTls, error))?;
        judged(Verb::StartTls, reply.into()).map(drop)
    }

    async fn encrypt(&self, client: SmtpClient<TcpStream>) -> Result<SmtpClient<TlsStream<TcpStream>>, Trouble> {
        // There is one wherever this is called.
        let Some(tls) = &self.tls else { return Err(Trouble::failed(Verb::Handshake, "tls", "TLS is not set up")) };
        let encrypted = client.into_tls(tls, &self.relay.address.host).await;
        encrypted.map_err(|error| Trouble::of(Verb::Handshake, error))
    }

    /// EHLO and AUTH, in the state of the connection that mail is sent in; `greet`: the relay's first words come before.
    async fn introduce<S: Wire + 'static>(&self, mut client: SmtpClient<S>, greet: bool) -> Result<Session, Trouble> {
        match self.log_in(&mut client, greet).await {
            Ok(offered) => {
                let SmtpClient { stream, timeout } = client;
                Ok(Session::new(SmtpClient { stream: Box::new(stream), timeout }, &offered))
            }
            Err(trouble) => Err(parted(client, trouble)),
        }
    }

    async fn log_in<S: Wire>(&self, client: &mut SmtpClient<S>, greet: bool) -> Result<EhloResponse<String>, Trouble> {
        if greet {
            greeted(client).await?;
        }
        let mut offered = self.hello(client).await?;
        if let Some(login) = &self.relay.login {
            authenticate(client, login, &mut offered).await?;
        }
        Ok(offered)
    }

    async fn hello<S: Wire>(&self, client: &mut SmtpClient<S>) -> Result<EhloResponse<String>, Trouble> {
        client.ehlo(&self.helo).await.map_err(|error| Trouble::of(Verb::Ehlo, error))
    }
}

/// Gives a connection up for `trouble`, with a goodbye if the relay still listens.
fn parted<S: Wire + 'static>(client: SmtpClient<S>, trouble: Trouble) -> Trouble {
    tokio::spawn(timeout(PARTING, client.quit()));
    trouble
}

/// The name that the kernel has for this machine; `localhost` where that could not stand in EHLO.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name = name.trim();
    if name.is_empty() || !name.chars().all(is_label) { "localhost".to_owned() } else { name.to_owned() }
}

/// Waits for the relay's first words.
async fn greeted<S: Wire>(client: &mut SmtpClient<S>) -> Result<(), Trouble> {
    let late = Trouble { verb: Verb::Banner, what: What::TimedOut };
    let read = timeout(client.timeout, client.read()).await.map_err(|_| late)?;
    judged(Verb::Banner, read.map_err(|error| Trouble::of(Verb::Banner, error))?.into()).map(drop)
}

async fn authenticate<S: Wire>(
    client: &mut SmtpClient<S>,
    login: &Login,
    offered: &mut EhloResponse<String>,
) -> Result<(), Trouble> {
    // The client would begin with what it is not built for (CRAM-MD5), and not come back from there.
    offered.auth_mechanisms &= AUTH_PLAIN | AUTH_LOGIN;
    if offered.auth_mechanisms == 0 {
        let tls = offered.has_capability(EXT_START_TLS);
        let advice = if tls { ", but STARTTLS: write email.starttls = \"required\"" } else { "" };
        let detail = format!("it offers neither AUTH PLAIN nor AUTH LOGIN (email.username){advice}");
        return Err(Trouble::failed(Verb::Auth, "auth-missing", detail));
    }
    let credentials = Credentials::new(login.username.as_str(), login.password.expose_secret());
    let authenticated = client.authenticate(credentials, &*offered).await;
    authenticated.map(drop).map_err(|error| Trouble::of(Verb::Auth, error))
}
