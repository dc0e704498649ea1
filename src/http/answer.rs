//! A contract's answer on its way to hyper, or, where hyper is not asked, to the socket itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
};
use hyper::{Method, StatusCode};

use super::connection::Connection;
use super::contract::{Contract, Delivery, Refusal, Response};
use super::credential::Denied;
use crate::base::clock::Timestamp;

/// `Retry-After` in seconds where an answer that needs one has none.
const RETRY_AFTER_DEFAULT: HeaderValue = HeaderValue::from_static("1");

/// The request's id in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The server's refusal in the contract's words, with the headers that the server owes.
pub(super) fn refuse(contract: &dyn Contract, refusal: &Refusal, id: &str) -> Response {
    let response = contract.refuse(refusal, id);
    match refusal {
        Refusal::MethodNotAllowed { allow } => match HeaderValue::try_from(&**allow) {
            Ok(value) => response.header(ALLOW, value),
            Err(_) => response,
        },
        Refusal::TooManyRequests { retry_after, .. } => response.header(RETRY_AFTER, HeaderValue::from(*retry_after)),
        _ => response,
    }
}

/// The refusal of a request that is not let in.
pub(super) fn deny(contract: &dyn Contract, denied: Denied, id: &str) -> Response {
    let response = refuse(contract, &denied.refusal, id);
    match denied.challenge {
        Some(challenge) => response.header(WWW_AUTHENTICATE, challenge),
        None => response,
    }
}

/// Adds what every answer has.
fn complete(response: &mut Response, id: &str) {
    let headers = &mut response.headers;
    // Framing follows from the body alone.
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let later = matches!(response.status.as_u16(), 429 | 503 | 507);
    if later && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_DEFAULT);
    }
}

/// What the desk has to say to a request.
pub(super) struct Answered {
    pub(super) response: Response,
    /// The request's id and its method.
    pub(super) id: String,
    pub(super) method: Method,
    /// The body has not been read to its end: the caller may still be sending.
    pub(super) unread: bool,
}

/// The answer as hyper writes it, the connection's last if its body has not been read or the server stops.
pub(super) fn to_hyper(answered: Answered, connection: &Arc<Connection>) -> hyper::Response<AnswerBody> {
    let Answered { mut response, id, method, unread } = answered;
    complete(&mut response, &id);
    if unread {
        // The caller has to be able to read the answer before the connection goes.
        connection.linger();
    }
    if unread || connection.is_draining() {
        response.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    fit(&mut response, &method);
    let body = AnswerBody { data: response.body, delivery: response.delivery, connection: Arc::clone(connection) };
    let mut answer = hyper::Response::new(body);
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    answer
}

/// An answer as a stream of HTTP/2 writes it.
pub(super) struct Answer {
    pub(super) head: hyper::Response<()>,
    pub(super) body: Bytes,
    pub(super) report: Option<Report>,
}

/// The answer for a stream of HTTP/2, where neither the body's end nor the connection is a matter of headers.
pub(super) fn to_http2(answered: Answered, now: Timestamp) -> Answer {
    let Answered { mut response, id, method, unread: _ } = answered;
    complete(&mut response, &id);
    fit(&mut response, &method);
    let headers = &mut response.headers;
    // RFC 9113 §8.2.2: an answer with it would be malformed.
    headers.remove(CONNECTION);
    if !response.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(response.body.len()));
    }
    if let Ok(date) = HeaderValue::try_from(date(now)) {
        headers.insert(DATE, date);
    }
    let mut head = hyper::Response::new(());
    *head.status_mut() = response.status;
    *head.headers_mut() = response.headers;
    Answer { head, body: response.body, report: response.delivery.map(Report::new) }
}

/// Tells somebody that an answer was written, or, when it is dropped before, that it is lost.
pub(super) struct Report(Option<Arc<dyn Delivery>>);

impl Report {
    pub(super) fn new(delivery: Arc<dyn Delivery>) -> Self {
        Self(Some(delivery))
    }

    /// Whom to tell; others see to that from now on.
    pub(super) fn put_off(mut self) -> Option<Arc<dyn Delivery>> {
        self.0.take()
    }

    pub(super) fn written(&mut self) {
        if let Some(delivery) = self.0.take() {
            delivery.written();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(delivery) = self.0.take() {
            delivery.lost();
        }
    }
}

/// Takes the body away where there must be none.
fn fit(response: &mut Response, method: &Method) {
    if *method == Method::HEAD {
        // RFC 9110 §9.3.2: the headers of the answer, never its body.
        response.headers.insert(CONTENT_LENGTH, HeaderValue::from(response.body.len()));
        response.body = Bytes::new();
    }
    if matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.body = Bytes::new();
    }
}

/// The answer as bytes, for a connection on which hyper has found no request that could be answered.
pub(super) fn to_bytes(mut response: Response, id: &str, now: Timestamp) -> Vec<u8> {
    complete(&mut response, id);
    let headers = &mut response.headers;
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(response.body.len()));
    let reason = response.status.canonical_reason().unwrap_or("Error");
    let mut out = format!("HTTP/1.1 {} {reason}\r\ndate: {}\r\n", response.status.as_u16(), date(now)).into_bytes();
    write_headers(&response.headers, &mut out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&response.body);
    out
}

fn write_headers(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 9110 §5.6.7.
fn date(now: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or_default();
    instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An answer's body in one piece. When hyper lets go of it, it either has the whole or never wanted it.
pub(super) struct AnswerBody {
    data: Bytes,
    delivery: Option<Arc<dyn Delivery>>,
    connection: Arc<Connection>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = std::mem::take(&mut self.data);
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let delivery = self.delivery.take();
        if self.data.is_empty() {
            self.connection.answer_taken(delivery);
        } else if let Some(delivery) = delivery {
            delivery.lost();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_bytes_is_a_whole_http_answer() {
        let response = Response::json(StatusCode::SERVICE_UNAVAILABLE, "{}");
        let text = String::from_utf8(to_bytes(response, "a-1", Timestamp::from_millis(784_111_777_000))).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
        for header in ["content-type: application/json", "content-length: 2", "connection: close", "retry-after: 1"] {
            assert!(text.contains(&format!("\r\n{header}\r\n")), "{header} in {text}");
        }
        assert!(text.ends_with("\r\n\r\n{}"));
    }
}
