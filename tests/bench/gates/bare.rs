//! The probe H: a bare hyper server in a process of its own, loaded as the appliance is.
//!
//! It reads the body and answers a small 202, with as many worker threads and the same allocator as the appliance, and
//! nothing else. In its second form it also does what the appliance does with the credential of a known token: the
//! difference between the two is what authentication costs. The benchmark starts itself again for it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tidings::auth::{
    self, AuthSettings, Authenticator, ClientSettings, GateParts, SigningKeys, TokenRequest, TokenService, scope,
};
use tidings::base::clock::{Clock, SystemClock};
use tidings::base::random::SystemRandomness;
use tidings::base::secret::SecretHash;
use tokio::net::{TcpListener, TcpStream};

use crate::process::site::{CLIENT, SECRET, local};

/// The first argument that makes this program the bare server.
pub(crate) const ARGUMENT: &str = "bare-server";
/// The second one that makes it look at credentials.
const CHECKING: &str = "checking-tokens";

/// As long as an answer of the appliance to a publish.
const ANSWER: &[u8] = br#"{"id":"019ab000-0000-7000-8000-000000000000","duplicate":false,"matched":1,"notifications":{"poll":1,"webhook":0,"email":0},"expires":"2027-01-01T00:00:00.000Z"}"#;

/// A running bare server. It ends with this value, or with the benchmark.
#[derive(Debug)]
pub(crate) struct BareServer {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// A token that it takes, where it looks at them.
    pub(crate) token: String,
}

impl BareServer {
    /// Starts one that does `checks` tokens, or does not.
    pub(crate) fn start(checks: bool) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).args(checks.then_some(CHECKING));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("a child without stdout"))?;
        BufReader::new(stdout).read_line(&mut line)?;
        let (address, token) =
            line.trim().split_once(' ').ok_or_else(|| io::Error::other("the bare server said nothing"))?;
        let address = address.parse().map_err(io::Error::other)?;
        Ok(Self { child, address, token: token.to_owned() })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        // Either it has ended already, or there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bare server itself: says where it listens, and serves until its standard input ends.
pub(crate) fn serve() -> io::Result<()> {
    let checks = std::env::args().nth(2).is_some_and(|argument| argument == CHECKING);
    let gate = checks.then(Gate::new).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.spawn(async move {
        if let Err(error) = accept(gate.map(Arc::new)).await {
            eprintln!("the bare server: {error}");
        }
    });
    let _ = io::stdin().read(&mut [0])?;
    runtime.shutdown_background();
    Ok(())
}

async fn accept(gate: Option<Arc<Gate>>) -> io::Result<()> {
    let listener = TcpListener::bind(local(0)).await?;
    println!("{} Bearer {}", listener.local_addr()?, gate.as_ref().map_or("none", |gate| &gate.token));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(converse(stream, gate.clone()));
    }
}

async fn converse(stream: TcpStream, gate: Option<Arc<Gate>>) {
    let service = service_fn(move |request| answer(request, gate.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    // A load generator that hangs up is no news.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, gate: Option<Arc<Gate>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let admitted = gate.is_none_or(|gate| gate.admits(&request));
    let read = request.into_body().collect().await.is_ok();
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    *response.status_mut() = if admitted && read { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED };
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What the appliance does with a request's credential.
struct Gate {
    authenticator: Authenticator,
    entry: auth::Gate,
    clock: SystemClock,
    token: String,
}

impl Gate {
    fn new() -> io::Result<Self> {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(io::Error::other)?;
        let keys = Arc::new(SigningKeys::from_pkcs8(key.as_ref()).map_err(io::Error::other)?);
        let settings = settings();
        let gate = GateParts::in_memory(&settings);
        let random = Arc::new(SystemRandomness::default());
        let tokens = TokenService::new(&settings, Arc::clone(&keys), gate.clone(), random);
        let clock = SystemClock;
        let asked = TokenRequest::with_secret(CLIENT, SECRET);
        let issued = tokens.issue(&asked, clock.now()).map_err(io::Error::other)?;
        let token = tidings::base::secret::ExposeSecret::expose_secret(&issued.access_token).to_owned();
        let authenticator = Authenticator::new(&settings, keys, Arc::clone(&gate.clients));
        Ok(Self { authenticator, entry: auth::Gate::new(gate), clock, token })
    }

    fn admits(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let now = self.clock.now();
        let caller = token.and_then(|token| {
            let verified = self.authenticator.bearer(token, now);
            self.entry.token(verified.map_err(auth::BadToken::from), auth::Origin::default(), now).ok()
        });
        caller.is_some_and(|principal| principal.has(scope::PUBLISH))
    }
}

fn settings() -> AuthSettings {
    let client = ClientSettings {
        secrets: vec![SecretHash::of(SECRET.as_bytes()).into()],
        scopes: BTreeSet::from([scope::PUBLISH.to_owned()]),
        ..ClientSettings::new(CLIENT)
    };
    AuthSettings::new("http://127.0.0.1:8420", vec![client])
}
