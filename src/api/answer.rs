//! Answers as the server wants them.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::http::contract::Response;

/// An answer with a body of the given type.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Response { status, headers, body: body.into(), delivery: None }
}

/// 204, without a body.
pub(super) fn no_content() -> Response {
    Response { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Bytes::new(), delivery: None }
}
