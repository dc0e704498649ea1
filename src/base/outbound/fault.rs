//! Why there is no answer: a class for machines, a text for people.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;

use super::names::NoAddress;
use super::resolver::NotAllowed;
use super::timings::Timings;

/// What kind of fault kept a request from its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// The policy does not allow it.
    Refused,
    /// The name has no address.
    Name,
    /// Nobody listens there.
    ConnectRefused,
    /// There was no connection in time.
    ConnectTimeout,
    /// There is no way there.
    Unreachable,
    /// The proxy did not connect.
    Proxy,
    /// TLS failed, for the certificate or otherwise.
    Tls,
    /// There was no whole answer in time.
    Timeout,
    /// The connection was lost.
    HangUp,
    /// What came is no HTTP.
    Protocol,
}

impl FaultClass {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Refused,
        Self::Name,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Unreachable,
        Self::Proxy,
        Self::Tls,
        Self::Timeout,
        Self::HangUp,
        Self::Protocol,
    ];

    /// The name in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "egress-refused",
            Self::Name => "name",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::Unreachable => "unreachable",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::HangUp => "hang-up",
            Self::Protocol => "protocol",
        }
    }
}

/// Why there is no answer. The text is for the log: it names the host, but no path and no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// Its class.
    pub class: FaultClass,
    /// What happened.
    pub detail: String,
    /// How far it came.
    pub timings: Timings,
}

impl SendError {
    pub(super) fn new(class: FaultClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), timings: Timings::default() }
    }

    /// The error with its causes, without the URL. `connecting`: there was no connection yet.
    pub(super) fn of(error: reqwest::Error, connecting: bool) -> Self {
        let error = error.without_url();
        if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<NotAllowed>()) {
            return Self::new(FaultClass::Refused, refused.to_string());
        }
        let class = causes(&error).find_map(|cause| class_of(cause, connecting));
        let class = class.unwrap_or(match (error.is_timeout(), connecting) {
            (true, true) => FaultClass::ConnectTimeout,
            (true, false) => FaultClass::Timeout,
            (false, true) => FaultClass::Unreachable,
            (false, false) => FaultClass::Protocol,
        });
        Self::new(class, told(&error))
    }
}

/// An error, seen from its cause.
type Cause<'e> = &'e (dyn StdError + 'static);

/// The error and what has caused it.
fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

/// What an I/O error holds is its cause: its own `source` is the next one.
fn cause_of(error: Cause<'_>) -> Option<Cause<'_>> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// The class that one of the causes says, if it does.
fn class_of(cause: Cause<'_>, connecting: bool) -> Option<FaultClass> {
    if cause.is::<NoAddress>() {
        return Some(FaultClass::Name);
    }
    if cause.is::<rustls::Error>() {
        return Some(FaultClass::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return of_hyper(error);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return of_io(error, connecting);
    }
    // hyper-util gives its type no public name.
    (connecting && cause.to_string().starts_with("tunnel error")).then_some(FaultClass::Proxy)
}

fn of_hyper(error: &hyper::Error) -> Option<FaultClass> {
    if error.is_parse() {
        return Some(FaultClass::Protocol);
    }
    (error.is_incomplete_message() || error.is_canceled() || error.is_closed()).then_some(FaultClass::HangUp)
}

fn of_io(error: &io::Error, connecting: bool) -> Option<FaultClass> {
    use io::ErrorKind as Kind;
    // What it holds says more.
    let holds_tls = error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>);
    match error.kind() {
        _ if holds_tls => None,
        Kind::ConnectionRefused if connecting => Some(FaultClass::ConnectRefused),
        Kind::TimedOut => Some(if connecting { FaultClass::ConnectTimeout } else { FaultClass::Timeout }),
        // tokio-rustls: the peer went away in the handshake.
        Kind::UnexpectedEof if connecting => Some(FaultClass::Tls),
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof
        | Kind::NotConnected => Some(FaultClass::HangUp),
        _ => None,
    }
}

/// The texts of the causes, each once, without those that only say that there is one.
fn told(error: &reqwest::Error) -> String {
    let says = |cause: &String| !cause.starts_with("client error (") && cause != "error sending request";
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string).filter(says) {
        if text.contains(&cause) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{cause}", if text.is_empty() { "" } else { ": " });
    }
    if text.is_empty() { error.to_string() } else { text }
}
