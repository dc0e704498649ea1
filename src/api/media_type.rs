//! Media types of bodies (RFC 9110, 8.3.1), as far as it must be told whether a body is JSON in UTF-8.

use hyper::header::{CONTENT_TYPE, HeaderMap};

/// A media type: `type/subtype` and the `charset` parameter; other parameters mean nothing to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MediaType<'a> {
    essence: &'a str,
    charset: Option<&'a str>,
}

impl<'a> MediaType<'a> {
    /// Parses `text`, `None` if it is no media type.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next()?.trim();
        let (kind, subtype) = essence.split_once('/')?;
        (is_token(kind) && is_token(subtype)).then_some(())?;
        let charset =
            parts.filter_map(|p| p.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        Some(Self { essence, charset: charset.map(|(_, value)| value.trim().trim_matches('"')) })
    }

    /// The type of a request's body; `None` without one, with several, or with one that is none.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.to_str().ok().and_then(Self::parse))?
    }

    /// Whether it is `essence` (in lower case), in UTF-8.
    pub(super) fn is(self, essence: &str) -> bool {
        self.is_utf8() && self.essence.eq_ignore_ascii_case(essence)
    }

    /// Whether it is `application/json` or ends in `+json` (RFC 6839, 3.1), in UTF-8.
    pub(super) fn is_json(self) -> bool {
        let suffix = self.essence.len().checked_sub("+json".len()).and_then(|at| self.essence.get(at..));
        self.is("application/json") || self.is_utf8() && suffix.is_some_and(|s| s.eq_ignore_ascii_case("+json"))
    }

    fn is_utf8(self) -> bool {
        self.charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
    }
}

/// RFC 9110, 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_in_all_its_spellings() {
        let is_json = |text| MediaType::parse(text).is_some_and(MediaType::is_json);
        for good in [
            "application/json",
            "Application/JSON ; Charset=\"UTF-8\"",
            "application/vnd.acme+json;v=1;charset=utf-8",
            "application/problem+JSON",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "json", "text/json", "application/", "application/json; charset=latin1", "a b/c+json", "/+json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
