//! The trace of a request in B3 headers. What is malformed is ignored.

use crate::base::trace::TraceContext;
use crate::http::contract::Request;

/// The header with the trace's id, which an answer has too.
pub(super) const TRACE_ID: &str = "x-b3-traceid";

/// The trace of `request`, with its id as it was sent.
pub(super) fn trace(request: &Request) -> Option<(TraceContext, &str)> {
    let id = only(request, TRACE_ID)?;
    let sampled = only(request, "x-b3-sampled") == Some("1");
    TraceContext::of_b3(id, only(request, "x-b3-spanid"), sampled).map(|context| (context, id))
}

/// The value of a header that is there once.
fn only<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    (request.headers.get_all(name).iter().count() == 1).then(|| request.header(name))?
}
