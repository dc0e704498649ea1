//! W3C trace context (<https://www.w3.org/TR/trace-context/>), kept with an event and handed on.

/// A valid `traceparent` with its `tracestate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent` as it was given: `00-<32 hex>-<16 hex>-<2 hex>` in lower case.
    pub parent: String,
    /// The `tracestate`, if there was one; at most 512 characters of visible ASCII.
    pub state: Option<String>,
}

impl TraceContext {
    /// The context that the two values stand for, `None` if `parent` is not valid: a malformed trace is ignored.
    #[must_use]
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        valid_parent(parent)
            .then(|| Self { parent: parent.to_owned(), state: state.filter(|s| valid_state(s)).map(str::to_owned) })
    }

    /// The context that a trace in B3 headers (<https://github.com/openzipkin/b3-propagation>) stands for: an id of 16 or 32
    /// lower-case hexadecimal digits, a span of 16. `None` if the id is not valid; a span that is not, or not there, is that
    /// of the trace's root, which has the end of its id.
    #[must_use]
    pub fn of_b3(trace: &str, span: Option<&str>, sampled: bool) -> Option<Self> {
        let trace = if is_hex(trace, 16) { format!("{trace:0>32}") } else { trace.to_owned() };
        let flags = if sampled { "01" } else { "00" };
        let context = |span: &str| Self::parse(&format!("00-{trace}-{span}-{flags}"), None);
        let root = || context(trace.get(16..)?).or_else(|| context("0000000000000001"));
        span.and_then(context).or_else(root)
    }

    /// The trace's id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(1)
    }

    /// The id of the span that caused what bears this: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.part(2)
    }

    /// Whether the caller may have recorded it (the flag `sampled`).
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.part(3), 16).is_ok_and(|flags| flags & 1 == 1)
    }

    fn part(&self, index: usize) -> &str {
        self.parent.split('-').nth(index).unwrap_or_default()
    }
}

fn valid_parent(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let known = version == "00" && parts.next().is_none() || version != "00" && version != "ff";
    known
        && is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && span.bytes().any(|b| b != b'0')
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn valid_state(text: &str) -> bool {
    !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| matches!(b, 0x20..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specification_s_example_is_valid() {
        let context = TraceContext::parse(PARENT, Some("congo=t61rcWkgMzE")).unwrap();
        assert_eq!(context.parent, PARENT);
        assert_eq!(context.state.as_deref(), Some("congo=t61rcWkgMzE"));
        assert_eq!((context.trace_id(), context.span_id()), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        assert!(
            context.is_sampled() && !TraceContext::parse(&PARENT.replace("-01", "-02"), None).unwrap().is_sampled()
        );
    }

    #[test]
    fn a_trace_in_b3_headers_is_continued() {
        // The vendor's own examples (seed 004).
        let (trace, span) = ("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312");
        let parent = |trace, span, sampled| TraceContext::of_b3(trace, span, sampled).map(|context| context.parent);
        assert_eq!(parent(trace, Some(span), false), Some(format!("00-{trace}-{span}-00")));
        assert_eq!(parent(trace, Some(span), true), Some(format!("00-{trace}-{span}-01")));
        assert_eq!(parent(span, Some(span), false), Some(format!("00-0000000000000000{span}-{span}-00")));
        for no_span in [None, Some(""), Some("A2FB4A1D1A96D312"), Some("0000000000000000"), Some("1-2")] {
            assert_eq!(parent(trace, no_span, false), Some(format!("00-{trace}-{}-00", &trace[16..])));
        }
        for bad in ["", "463AC35C9F6413AD48485A3953BB6124", "463ac35c", &"0".repeat(16), &"0".repeat(32), "é"] {
            assert_eq!(parent(bad, Some(span), false), None, "{bad}");
        }
    }

    #[test]
    fn malformed_ones_are_ignored() {
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(TraceContext::parse(bad, None), None, "{bad}");
        }
    }
}
