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
