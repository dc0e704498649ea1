//! What a request gives by name, in its query or in the object of its body: each read once, all problems noted.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::events::error::Error;
use crate::api::events::problems::Problems;
use crate::api::media_type::MediaType;
use crate::api::problem::Problem;
use crate::http::contract::Request;
use crate::model::json::{Members, check_depth, string};

/// Values by name. What nobody has asked for at the end is unknown, and refused.
pub(super) struct Given<'r> {
    values: Vec<(Cow<'r, str>, Value<'r>)>,
    problems: Problems,
    /// What a name is called in this place.
    called: &'static str,
}

#[derive(Clone)]
enum Value<'r> {
    /// Of the query: text, whatever it means.
    Text(Cow<'r, str>),
    /// Of a body.
    Json(&'r RawValue),
}

impl<'r> Given<'r> {
    /// The parameters of the query.
    pub(super) fn query(request: &'r Request) -> Self {
        let pairs = form_urlencoded::parse(request.query.as_bytes());
        let values = pairs.map(|(name, value)| (name, Value::Text(value))).collect();
        Self { values, problems: Problems::default(), called: "a parameter" }
    }

    /// The members of the body, which may be empty. One that is not has to say that it is JSON: a page of another site
    /// cannot make a browser send that unasked.
    pub(super) fn body(request: &'r Request) -> Result<Self, Error> {
        let mut given = Self { values: Vec::new(), problems: Problems::default(), called: "a member" };
        if request.body.is_empty() {
            return Ok(given);
        }
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(no_json());
        }
        // Nothing in these objects is nested.
        match check_depth(&request.body, 1).map(|raw| serde_json::from_str::<Members<'r>>(raw.get())) {
            Err(error) => given.problems.invalid(String::new(), format!("the body is not acceptable JSON: {error}")),
            Ok(Err(_)) => given.problems.invalid(String::new(), "the body must be a JSON object"),
            Ok(Ok(Members(members))) => {
                given.values = members.into_iter().map(|(name, raw)| (name, Value::Json(raw))).collect();
            }
        }
        Ok(given)
    }

    /// The text called `name` as `read` takes it.
    pub(super) fn text<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.take(name)?;
        let text = match &value {
            Value::Text(text) => Some(Cow::Borrowed(&**text)),
            Value::Json(raw) => string(raw),
        };
        let read = text.ok_or_else(|| "must be a string".to_owned()).and_then(|text| read(&text));
        self.note(name, read)
    }

    /// The whole number called `name`, within `bounds`.
    pub(super) fn number(&mut self, name: &str, bounds: std::ops::RangeInclusive<usize>) -> Option<usize> {
        let value = self.take(name)?;
        let number = match &value {
            Value::Text(text) => text.parse().ok(),
            Value::Json(raw) => raw.get().parse().ok(),
        };
        let (least, most) = (bounds.start(), bounds.end());
        let wrong = || format!("must be a whole number from {least} to {most}");
        self.note(name, number.filter(|number| bounds.contains(number)).ok_or_else(wrong))
    }

    /// Whether `name` is true; it is not where it is not given.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.choice(name).unwrap_or(false)
    }

    /// Whether `name` is true, if it is given.
    pub(super) fn choice(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        let text = match &value {
            Value::Text(text) => text,
            Value::Json(raw) => raw.get(),
        };
        self.note(name, text.parse().map_err(|_| "must be true or false".to_owned()))
    }

    /// Notes what is wrong with `name`, or without a name with the whole.
    pub(super) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.problems.invalid(pointer(name), detail);
    }

    /// Whether nothing has been found wrong so far.
    pub(super) const fn is_well(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether all was well, and nothing is left that nobody has asked for.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        for (name, _) in std::mem::take(&mut self.values) {
            self.problems.invalid(pointer(&name), format!("is not {} of this request", self.called));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Error::listing(self.problems)) }
    }

    /// Takes out what is called `name`; more than one of that name (JSON has none) are refused.
    fn take(&mut self, name: &str) -> Option<Value<'r>> {
        let first = self.values.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.values.remove(first);
        let before = self.values.len();
        self.values.retain(|(known, _)| known != name);
        if self.values.len() < before {
            self.refuse(name, "is there more than once");
        }
        Some(value)
    }

    fn note<T>(&mut self, name: &str, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(detail) => {
                self.refuse(name, detail);
                None
            }
        }
    }
}

/// The body is not said to be JSON.
pub(super) fn no_json() -> Error {
    Error::new(Problem::UnsupportedMediaType, "Content-Type must be application/json.")
}

/// RFC 6901, 3; the empty one is the whole.
fn pointer(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    fn request(query: &str, body: &str) -> Request {
        Request {
            id: "r".to_owned(),
            peer: None,
            address: None,
            certificate: None,
            path: String::new(),
            params: Vec::new(),
            query: query.to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            principal: None,
            standing: crate::http::Standing::default(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn asked(mut given: Given<'_>) -> Result<(Option<usize>, Option<String>, bool), String> {
        let limit = given.number("limit", 1..=10);
        let name =
            given.text("name", |text| if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) });
        let flag = given.flag("flag");
        given.finish().map(|()| (limit, name, flag)).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_query_and_a_body_say_the_same() {
        let both = |query: &str, body: &str| {
            let request = request(query, body);
            (asked(Given::query(&request)), asked(Given::body(&request).unwrap()))
        };
        let (query, body) = both("limit=10&name=a%20b&flag=true", r#"{"limit": 10, "name": "a b", "flag": true}"#);
        assert_eq!(query, Ok((Some(10), Some("a b".to_owned()), true)));
        assert_eq!(query, body);
        assert_eq!(both("", ""), (Ok((None, None, false)), Ok((None, None, false))));
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let request =
            request("limit=11&name=&flag=yes&a/b=&name=x", r#"{"limit": "1", "name": 7, "flag": "true", "x": null}"#);
        let query = asked(Given::query(&request)).unwrap_err();
        for expected in ["/limit", "from 1 to 10", "more than once", "is empty", "/flag", "/a~1b", "not a parameter"] {
            assert!(query.contains(expected), "{expected} in {query}");
        }
        let body = asked(Given::body(&request).unwrap()).unwrap_err();
        for expected in ["/limit", "must be a string", "true or false", "/x", "not a member"] {
            assert!(body.contains(expected), "{expected} in {body}");
        }
    }

    #[test]
    fn a_body_is_one_flat_object_without_repeats() {
        for bad in ["[]", "7", "{", r#"{"a":1,"a":2}"#, r#"{"name":["a"]}"#] {
            let request = request("", bad);
            assert!(asked(Given::body(&request).unwrap()).is_err(), "{bad}");
        }
        let mut foreign = request("", "{}");
        foreign.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert!(Given::body(&foreign).is_err());
    }
}
