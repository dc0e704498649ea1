//! What a line says, before it has a place in the chain.

use std::net::IpAddr;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::legible::cut;

/// The most characters of a name, an id or a reason.
const MAX_TEXT: usize = 256;
/// The most characters of a detail.
const MAX_DETAIL: usize = 1024;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Actor {
    /// A client that has shown who it is.
    Client {
        /// Its id.
        id: String,
        /// The `iss` of its token; `built-in` for those of the built-in token endpoint.
        issuer: String,
    },
    /// Who only says that it is this client.
    Claimed {
        /// The id as it was sent.
        id: String,
    },
    /// The holder of an API key.
    ApiKey {
        /// The key's entry in the files.
        id: String,
        /// Its public part.
        key: String,
    },
    /// A process on this machine.
    Peer {
        /// Its user id.
        uid: u32,
    },
    /// The configuration files.
    Configuration,
    /// Whoever may send this process a signal.
    Signal,
    /// The appliance itself.
    Appliance,
}

impl Actor {
    /// The client `id` with a secret or a token of the built-in token endpoint.
    #[must_use]
    pub fn client(id: &str) -> Self {
        Self::Client { id: id.to_owned(), issuer: "built-in".to_owned() }
    }

    fn cut(self) -> Self {
        let short = |text: String| cut(&text, MAX_TEXT).into_owned();
        match self {
            Self::Client { id, issuer } => Self::Client { id: short(id), issuer: short(issuer) },
            Self::Claimed { id } => Self::Claimed { id: short(id) },
            Self::ApiKey { id, key } => Self::ApiKey { id: short(id), key: short(key) },
            other @ (Self::Peer { .. } | Self::Configuration | Self::Signal | Self::Appliance) => other,
        }
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// This address.
    Ip(IpAddr),
    /// This machine, by a unix socket.
    Unix,
}

impl From<Option<IpAddr>> for Address {
    fn from(ip: Option<IpAddr>) -> Self {
        // An IPv4 address by way of an IPv6 socket is an IPv4 address.
        ip.map_or(Self::Unix, |ip| Self::Ip(ip.to_canonical()))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ip(ip) => serializer.collect_str(ip),
            Self::Unix => serializer.serialize_str("unix"),
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not allowed, or cannot be.
    Refused,
    /// The server failed.
    Failed,
    /// The caller hung up before the answer: whether it was done is in the ledger.
    Unanswered,
}

impl Outcome {
    /// The outcome that an HTTP status stands for.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            0..400 => Self::Ok,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// One thing that happened. Texts are cut when they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) action: &'static str,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) principal: Option<Actor>,
    pub(super) address: Option<Address>,
    pub(super) route: Option<(&'static str, &'static str)>,
    pub(super) object: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) request: Option<String>,
    pub(super) details: Vec<(&'static str, Value)>,
}

impl Entry {
    /// `action` with this outcome, for example `subscription.create`.
    #[must_use]
    pub const fn new(action: &'static str, outcome: Outcome) -> Self {
        Self {
            action,
            outcome,
            status: None,
            principal: None,
            address: None,
            route: None,
            object: None,
            reason: None,
            request: None,
            details: Vec::new(),
        }
    }

    /// With the HTTP status of the answer.
    #[must_use]
    pub const fn answered(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Done by `actor`.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.principal = Some(actor.cut());
        self
    }

    /// From `address`.
    #[must_use]
    pub const fn from(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    /// By this operation of this contract.
    #[must_use]
    pub const fn through(mut self, contract: &'static str, operation: &'static str) -> Self {
        self.route = Some((contract, operation));
        self
    }

    /// To `object`, an id.
    #[must_use]
    pub fn about(mut self, object: &str) -> Self {
        self.object = Some(cut(object, MAX_TEXT).into_owned());
        self
    }

    /// For `reason`, in our own words.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(cut(reason, MAX_TEXT).into_owned());
        self
    }

    /// By the request of this id.
    #[must_use]
    pub fn of_request(mut self, id: &str) -> Self {
        self.request = Some(cut(id, MAX_TEXT).into_owned());
        self
    }

    /// With a member of its own. `name` must not be one that every line may have.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = match value.into() {
            Value::String(text) => cut(&text, MAX_DETAIL).into(),
            other => other,
        };
        self.details.push((name, value));
        self
    }
}
