//! What a contract gives to the server, and what the server gives to a contract.
//!
//! One [`Route`] table for each contract feeds routing, scope checks and metric labels. What the server itself
//! refuses ([`Refusal`]) is turned into the contract's own body by the contract.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::standing::Standing;
use crate::auth::Principal;
use crate::base::audit::Actor;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// Whoever has a valid token, and may call the contract.
    Token,
    /// Whoever has a valid token with this scope, and may call the contract.
    Scope(&'static str),
    /// The same, or a valid `X-API-KEY` that has this scope.
    ScopeOrKey(&'static str),
    /// Whoever has a valid `X-API-KEY` with this scope; a token is not looked at.
    Key(&'static str),
}

/// What the audit trail says of a route's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing: it changes nothing but what the ledger itself accounts for.
    None,
    /// A line for every call that was let in, under this name of the change, for example `subscription.create`.
    Change(&'static str),
}

/// One operation of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Route<Operation> {
    /// The method. There is no implied HEAD: a HEAD that is not listed is 405.
    pub method: Verb,
    /// The path below the mount in matchit's form, for example `/subscriptions/{id}`.
    pub path: &'static str,
    /// What it does: the contract's own name of it.
    pub operation: Operation,
    /// The metric label, for example `poll`.
    pub label: &'static str,
    /// Who may call it.
    pub access: Access,
    /// How large its body may be.
    pub body: BodyRule,
    /// What the audit trail says of it.
    pub trace: Trace,
}

impl<Operation> Route<Operation> {
    /// The route as the server needs it.
    #[must_use]
    pub fn without_operation(self) -> Route<()> {
        self.map(|_| ())
    }

    /// The route in a table that is made of several: its operation as `name` calls it there.
    #[must_use]
    pub fn map<Other>(self, name: impl FnOnce(Operation) -> Other) -> Route<Other> {
        let Self { method, path, operation, label, access, body, trace } = self;
        Route { method, path, operation: name(operation), label, access, body, trace }
    }
}

/// What a route expects of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// None is needed; one that comes is read within `max_body` and dropped.
    None,
    /// At most `server.max_body`.
    Ordinary,
    /// At most the contract's own larger limit ([`Contract::max_body`]).
    Large,
}

/// What the server refuses on a contract's behalf; each contract answers it in its own body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 404: no route has this path.
    NoSuchPath,
    /// 405: the path has other methods; `allow` is the value of the `Allow` header, which the server adds.
    MethodNotAllowed {
        /// For example `GET, DELETE`.
        allow: String,
    },
    /// 401: no credential, or a bad one; the server adds `WWW-Authenticate`.
    Unauthenticated {
        /// What is wrong, for the caller.
        detail: String,
    },
    /// 403: the scope is missing.
    Forbidden {
        /// The scope that is needed.
        scope: &'static str,
    },
    /// 403: the credential is good, but not for this contract or from this address.
    NotAllowed {
        /// What it is not good for, for the caller.
        detail: String,
    },
    /// 429: too many requests; the server adds `Retry-After`.
    TooManyRequests {
        /// Of what there were too many, for the caller.
        detail: String,
        /// When to try again, in whole seconds from now, at least 1.
        retry_after: u64,
    },
    /// 413: the body is larger than `limit` bytes.
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// 400: the body did not arrive as announced (broken chunking, cut short), or the request line or a header is bad.
    BadRequest {
        /// What is wrong, for the caller.
        detail: String,
    },
    /// 408 or what the contract has for it: the body did not arrive in time.
    BodyTimeout {
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// 503: cannot take it now; the server adds `Retry-After`.
    Unavailable {
        /// What cannot be done, for the caller.
        detail: String,
    },
    /// 500: the handler panicked or failed; nothing of the inside is shown.
    Internal,
}

/// A request whose route has been found, credential checked and body read.
#[derive(Debug)]
pub struct Request {
    /// The request's id, also in the answer's `X-Request-Id` and in the log.
    pub id: String,
    /// The address of the connection's other end; `None` on a unix socket.
    pub peer: Option<SocketAddr>,
    /// The caller's address: that of the connection, or what a trusted proxy says; `None` on a unix socket, unless a
    /// trusted proxy says it.
    pub address: Option<IpAddr>,
    /// SHA-256 of the client certificate of its TLS connection (RFC 8705, 3.1), for routes that anybody may call; where
    /// a credential is needed it has been looked at.
    pub certificate: Option<[u8; 32]>,
    /// The path below the mount.
    pub path: String,
    /// Parameters of the path, percent-decoded.
    pub params: Vec<(String, String)>,
    /// The query string without its `?`; empty without one.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Who calls; `None` on public routes.
    pub principal: Option<Principal>,
    /// Whether that is still so, for a call that waits.
    pub standing: Standing,
    /// The whole body.
    pub body: Bytes,
}

impl Request {
    /// The path's parameter `name`; empty if the route has none.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// The first value of the query's parameter `name`, percent-decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// A header's value, `None` if it is absent or not visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

/// Told whether an answer reached the socket whole: exactly one of the two is called, once.
///
/// It is called from within the connection's task and must not block.
pub trait Delivery: Send + Sync {
    /// The last byte has been handed to the socket.
    fn written(&self);
    /// It has not, and will not be.
    fn lost(&self);
}

/// An answer.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers, without `Content-Length`, `X-Request-Id` and `Date`, which the server adds. A 429, 503 or 507
    /// without `Retry-After` gets one.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// Who wants to know whether it was written whole.
    pub delivery: Option<Arc<dyn Delivery>>,
    /// What was changed, for the audit trail: the id of what a call made. Without it the path's parameters are named.
    pub object: Option<String>,
    /// What else the audit trail says of the call.
    pub audit: Option<Box<Note>>,
}

/// What a contract adds to the line that the audit trail has of a call: never a secret, never a payload.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Who calls, where the server did not ask.
    pub principal: Option<Actor>,
    /// Why it was refused, in our own words.
    pub reason: Option<String>,
    /// Members of the line's own; no name that every line may have.
    pub details: Vec<(&'static str, serde_json::Value)>,
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), delivery: None, object: None, audit: None }
    }

    /// An answer whose body has this media type.
    #[must_use]
    pub fn with_body(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let answer = Self { body: body.into(), ..Self::empty(status) };
        answer.header(CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// An `application/json` answer; `body` is JSON already.
    #[must_use]
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::with_body(status, "application/json", body)
    }

    /// This answer with one more header, in place of what had its name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// This answer to a call that changed `object`.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// This answer to a call of which the audit trail says `note` besides.
    #[must_use]
    pub fn noted(mut self, note: Note) -> Self {
        self.audit = Some(Box::new(note));
        self
    }

    /// This answer, whose fate `delivery` is told.
    #[must_use]
    pub fn delivered_to(mut self, delivery: Arc<dyn Delivery>) -> Self {
        self.delivery = Some(delivery);
        self
    }
}

/// A method as a constant can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Verb {
    /// hyper's method.
    #[must_use]
    pub const fn as_hyper(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// A contract, mounted. The index that the server calls with is that of the route in [`Contract::routes`].
#[async_trait]
pub trait Contract: Send + Sync + 'static {
    /// Its name in metrics and logs, for example `polling`.
    fn name(&self) -> &'static str;
    /// Where it is mounted: `""` for the root, else `/…` without a slash at the end.
    fn mount(&self) -> &str;
    /// Exact paths that stand for the mount itself, whatever else is mounted above or below them.
    fn aliases(&self) -> &[String] {
        &[]
    }
    /// Its routes, without the operations.
    fn routes(&self) -> Vec<Route<()>>;
    /// The limit of [`BodyRule::Large`] in bytes.
    fn max_body(&self) -> usize;
    /// Answers a request.
    async fn call(&self, route: usize, request: Request) -> Response;
    /// Answers what the server refuses, in the contract's own body.
    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response;
}
