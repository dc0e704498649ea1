//! In which of the contract's four forms a request carries its events.

use hyper::header::HeaderMap;

use super::problems::{Problems, Read};
use super::{EventsSettings, binary, structured};
use crate::api::media_type::MediaType;
use crate::base::trace::TraceContext;
use crate::engine::Engine;
use crate::http::contract::Request;
use crate::model::id::ClientId;

/// The forms of contracts/events.md, "Publish".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One event in `ce-` headers, its data in the body.
    Binary,
    /// One event as `application/cloudevents+json`.
    Structured,
    /// An array of them as `application/cloudevents-batch+json`.
    Batch,
    /// The same members as `application/json`, most of them optional.
    Plain,
}

/// What holds for all events of a request.
pub(super) struct Context<'a> {
    /// The form of the body.
    pub form: Form,
    /// Who publishes.
    pub publisher: &'a ClientId,
    /// The trace of the request, for events without one of their own.
    pub trace: Option<TraceContext>,
    /// The largest event in bytes.
    pub max_event: usize,
    /// Knows the catalogue.
    pub engine: &'a Engine,
}

impl Form {
    /// The form of a request with these headers: `ce-specversion` decides before Content-Type. `None` if it is none.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key("ce-specversion") {
            return Some(Self::Binary);
        }
        let media_type = MediaType::of(headers)?;
        [
            ("application/json", Self::Plain),
            ("application/cloudevents+json", Self::Structured),
            ("application/cloudevents-batch+json", Self::Batch),
        ]
        .into_iter()
        .find(|(essence, _)| media_type.is(essence))
        .map(|(_, form)| form)
    }

    /// The largest body in bytes.
    pub(super) fn max_body(self, settings: &EventsSettings) -> usize {
        match self {
            Self::Batch => settings.max_batch,
            Self::Binary | Self::Structured | Self::Plain => settings.max_event,
        }
    }

    /// Where the event at `index` stands in the body: a JSON Pointer.
    pub(super) fn pointer(self, index: usize) -> String {
        if self == Self::Batch { format!("/{index}") } else { String::new() }
    }
}

impl<'a> Context<'a> {
    /// The context of `request`.
    pub(super) fn new(
        form: Form,
        request: &Request,
        publisher: &'a ClientId,
        settings: &EventsSettings,
        engine: &'a Engine,
    ) -> Self {
        Self { form, publisher, trace: trace(&request.headers), max_event: settings.max_event, engine }
    }

    /// The events of the request, or all that is wrong with them.
    pub(super) fn read(&self, request: &Request) -> Read {
        let mut problems = Problems::default();
        let drafts = match self.form {
            Form::Binary => vec![binary::read(request, self, &mut problems)],
            Form::Structured | Form::Plain => vec![structured::read_one(&request.body, self, &mut problems)],
            Form::Batch => structured::read_batch(&request.body, self, &mut problems),
        };
        problems.or(drafts, self)
    }
}

/// The trace in the request's own headers (W3C Trace Context, 3.2 and 3.3); ignored unless it is valid.
fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all("traceparent").iter();
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let states: Vec<_> = headers.get_all("tracestate").iter().filter_map(|v| v.to_str().ok()).collect();
    TraceContext::parse(parent, Some(&states.join(",")))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn ce_specversion_decides_before_the_content_type() {
        let of = |lines: &[(&'static str, &str)]| Form::of(&headers(lines));
        let structured = "application/cloudevents+json; charset=UTF-8";
        assert_eq!(of(&[("content-type", structured)]), Some(Form::Structured));
        assert_eq!(of(&[("content-type", structured), ("ce-specversion", "1.0")]), Some(Form::Binary));
        assert_eq!(of(&[("ce-specversion", "0.3")]), Some(Form::Binary));
        assert_eq!(of(&[("content-type", "Application/CloudEvents-Batch+JSON")]), Some(Form::Batch));
        assert_eq!(of(&[("content-type", "application/json")]), Some(Form::Plain));
        for other in ["application/xml", "application/cloudevents+xml", "application/json; charset=latin1", "json"] {
            assert_eq!(of(&[("content-type", other)]), None, "{other}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_trace_in_the_headers_is_taken_if_it_is_valid_and_the_only_one() {
        const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let found = trace(&headers(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")])).unwrap();
        assert_eq!((found.parent.as_str(), found.state.as_deref()), (PARENT, Some("a=1,b=2")));
        assert_eq!(trace(&headers(&[("traceparent", PARENT)])).unwrap().state, None);
        assert_eq!(trace(&headers(&[("traceparent", PARENT), ("traceparent", PARENT)])), None);
        assert_eq!(trace(&headers(&[("traceparent", "x"), ("tracestate", "a=1")])), None);
    }
}
