//! Where requests are answered: path, method, credential, scope, body, and then the contract, in this order.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{Method, Uri};
use tracing::Instrument as _;

use super::answer::{self, AnswerBody, Answered, Report};
use super::audit::{Account, Subject};
use super::body::Inbound;
use super::connection::Connection;
use super::contract::{Contract, Refusal, Request, Response};
use super::credential::{self, Denied, Origin};
use super::metrics::HttpMetrics;
use super::routing::{Entry, Found, Mount};
use super::serving::{Serving, ServingSlot};
use super::standing::Standing;
use super::{body, head};
use crate::auth::Principal;
use crate::base::audit::Trail;
use crate::base::clock::{BoxFuture, Clock, Timestamp};
use crate::base::masking::without_data;

/// What all connections of a server share.
pub(super) struct Desk {
    /// What is served at the moment.
    pub(super) serving: ServingSlot,
    pub(super) trail: Trail,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: HttpMetrics,
    /// Sets this run of the server apart in the requests' ids.
    pub(super) run: String,
    /// How many connections were turned away.
    pub(super) turned_away: AtomicU64,
}

/// One request, from its head to its answer.
struct Exchange<'d> {
    desk: &'d Desk,
    /// What it goes by to its end.
    serving: &'d Arc<Serving>,
    mount: &'d Mount,
    connection: &'d Connection,
    /// The caller's address: that of the connection, or what a trusted proxy says.
    caller: Option<IpAddr>,
    id: String,
    method: Method,
    uri: Uri,
}

/// A request that may be answered once its body is here.
struct Admitted<'d> {
    entry: &'d Entry,
    params: Vec<(String, String)>,
    principal: Option<Principal>,
}

impl Desk {
    /// An id that no other request has: of this run, of its connection, and its number there.
    fn request_id(&self, connection: &Connection) -> String {
        format!("{}-{:x}-{:x}", self.run, connection.number, connection.next_request())
    }

    /// The answer for a connection that has no request that could be answered, in bytes.
    pub(super) fn refuse_unread(&self, refusal: &Refusal, connection: &Connection) -> Vec<u8> {
        self.refusal(refusal, &self.request_id(connection), connection.peer)
    }

    /// The answer for a connection that there is no place for.
    pub(super) fn refuse_connection(&self, refusal: &Refusal, peer: Option<SocketAddr>) -> Vec<u8> {
        let number = self.turned_away.fetch_add(1, Ordering::Relaxed) + 1;
        self.refusal(refusal, &format!("{}-0-{number:x}", self.run), peer)
    }

    fn refusal(&self, refusal: &Refusal, id: &str, peer: Option<SocketAddr>) -> Vec<u8> {
        let serving = self.serving.now();
        let root = serving.routing.root();
        let response = answer::refuse(&*root.contract, refusal, id);
        tracing::debug!(id, ?peer, status = response.status.as_u16(), ?refusal, "refused without a request");
        root.unrouted.count(response.status);
        answer::to_bytes(response, id, self.clock.now())
    }

    /// The wall time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What there is to say to a request.
    pub(super) async fn answer(&self, connection: &Connection, request: hyper::Request<impl Inbound>) -> Answered {
        let (head, body) = request.into_parts();
        let sound = head::check(&head);
        let Parts { method, uri, headers, .. } = head;
        let serving = self.serving.now();
        let mount = serving.routing.mount(uri.path());
        let found = sound.and_then(|()| mount.find(&method, uri.path()));
        let timing = found.as_ref().map_or(&mount.unrouted, |found| &found.entry.meter).start();
        let caller = serving.trusted_proxies.caller(connection.peer.map(|peer| peer.ip()), &headers);
        let id = self.request_id(connection);
        let exchange = Exchange { desk: self, serving: &serving, mount, connection, caller, id, method, uri };
        // What is logged above debug names the request itself: a span for each would be paid for by every request.
        let span = tracing::debug_span!("request", id = exchange.id);
        let (response, unread) = exchange.respond(found, headers, body).instrument(span).await;
        exchange.log(&response, timing.finish(response.status));
        let Exchange { id, method, .. } = exchange;
        Answered { response, id, method, unread }
    }
}

impl<'d> Exchange<'d> {
    /// The answer, and whether the body has not been read to its end.
    async fn respond(
        &self,
        found: Result<Found<'d>, Refusal>,
        headers: HeaderMap,
        mut body: impl Inbound,
    ) -> (Response, bool) {
        let admitted = match self.admit(found, &headers).await {
            Ok(admitted) => admitted,
            Err(denied) => {
                // After a doubtful head nothing that follows is taken for a request.
                let doubtful = matches!(denied.refusal, Refusal::BadRequest { .. });
                let reusable = !doubtful && body::skip_arrived(&mut body).await;
                let response = answer::deny(&*self.mount.contract, denied, &self.id);
                return (response, !reusable);
            }
        };
        let room = self.connection.bodies(self.serving.bodies);
        match body::read(&mut body, admitted.entry.limit, self.serving.body_time, room).await {
            Ok((body, _room)) => (self.call(admitted, headers, body).await, false),
            Err(refusal) => {
                let response = self.refuse(&refusal);
                self.account(&admitted).answered(&response).await;
                (response, true)
            }
        }
    }

    async fn admit(&self, found: Result<Found<'d>, Refusal>, headers: &HeaderMap) -> Result<Admitted<'d>, Denied> {
        let Found { entry, params } = found?;
        let subject = self.subject(entry);
        let authenticator = &*self.serving.authenticator;
        let contract = self.mount.contract.name();
        let checked = credential::check(authenticator, contract, entry.access, headers, self.origin()).await;
        let principal = checked.inspect_err(|denied| subject.denied(&params, denied))?;
        Ok(Admitted { entry, params, principal })
    }

    /// The connection's part of what it shows.
    fn origin(&self) -> Origin {
        Origin { address: self.caller, uid: self.connection.uid, certificate: self.certificate() }
    }

    /// SHA-256 of the client certificate that the connection has shown.
    fn certificate(&self) -> Option<[u8; 32]> {
        self.connection.client_certificate().map(|certificate| certificate.thumbprint)
    }

    /// What the audit trail is told of this request.
    fn subject(&self, entry: &Entry) -> Subject<'_> {
        Subject {
            trail: &self.desk.trail,
            contract: self.mount.contract.name(),
            operation: entry.label,
            address: self.caller,
            request: &self.id,
        }
    }

    fn account(&self, admitted: &Admitted<'_>) -> Account<'_> {
        let Admitted { entry, params, principal } = admitted;
        self.subject(entry).admitted(entry.trace, params, principal.as_ref())
    }

    async fn call(&self, admitted: Admitted<'d>, headers: HeaderMap, body: bytes::Bytes) -> Response {
        let account = self.account(&admitted);
        let (slot, contract) = (&self.desk.serving, self.mount.contract.name());
        let request = Request {
            id: self.id.clone(),
            peer: self.connection.peer,
            address: self.caller,
            certificate: self.certificate(),
            path: self.mount.below(self.uri.path()).to_owned(),
            params: admitted.params,
            query: self.uri.query().unwrap_or_default().to_owned(),
            headers,
            principal: admitted.principal,
            standing: Standing::new(slot, self.serving, contract, admitted.entry.access, self.origin()),
            body,
        };
        let contract: &dyn Contract = &*self.mount.contract;
        let outcome = survive(async move { contract.call(admitted.entry.index, request).await }).await;
        let mut response = outcome.unwrap_or_else(|panic| {
            tracing::error!(id = self.id, method = %self.method, path = self.uri.path(), panic, "a call panicked");
            self.refuse(&Refusal::Internal)
        });
        // Whoever hangs up while the line is written has no answer.
        let report = response.delivery.take().map(Report::new);
        account.answered(&response).await;
        response.delivery = report.and_then(Report::put_off);
        response
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        answer::refuse(&*self.mount.contract, refusal, &self.id)
    }

    /// One line for each request; never what a query, a header or a body says.
    fn log(&self, response: &Response, took: Duration) {
        tracing::debug!(
            id = self.id,
            contract = self.mount.contract.name(),
            method = %self.method,
            path = self.uri.path(),
            status = response.status.as_u16(),
            bytes = response.body.len(),
            took_us = took.as_micros(),
            peer = ?self.connection.peer,
            caller = ?self.caller,
            "answered"
        );
    }
}

/// What `future` gives, or what it panicked with.
async fn survive<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|cx: &mut Context<'_>| {
        // A future that has panicked is not polled again, and contracts keep their state behind locks.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(words(&*panic))),
        }
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "something without words".to_owned(), without_data)
}

/// The desk as hyper calls it for one connection.
pub(super) struct Counter {
    pub(super) desk: Arc<Desk>,
    pub(super) connection: Arc<Connection>,
}

impl Service<hyper::Request<Incoming>> for Counter {
    type Response = hyper::Response<AnswerBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        if !self.connection.request_came() {
            // The connection is being closed for another one: the driver drops this future.
            return Box::pin(std::future::pending());
        }
        let (desk, connection) = (Arc::clone(&self.desk), Arc::clone(&self.connection));
        Box::pin(async move { Ok(answer::to_hyper(desk.answer(&connection, request).await, &connection)) })
    }
}
