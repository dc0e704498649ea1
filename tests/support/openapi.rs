//! Holds every answer that a test sees against the contracts' documents: its status, its headers, its media type and
//! its body must be described for the operation that was called.
//!
//! The documents are those of `config/openapi/`, for their default mounts. What they leave open for later releases is
//! closed here: an object has no members but those that are described.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use hyper::header::{HeaderMap, HeaderName};
use jsonschema::{Draft, Validator};
use serde_json::Value;

/// What the server's own listeners answer with.
static CONTRACTS: LazyLock<Vec<Document>> = LazyLock::new(|| {
    ["polling", "events", "management", "recipients", "registrations", "trigger", "root"]
        .map(Document::shipped)
        .into_iter()
        .collect()
});
static ADMIN: LazyLock<Vec<Document>> =
    LazyLock::new(|| ["admin", "operator"].map(Document::shipped).into_iter().collect());

/// Headers of framing, which no document describes.
const FRAMING: [&str; 5] = ["connection", "content-length", "content-type", "date", "transfer-encoding"];

/// An answer and what it was given to.
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a str,
    /// The path with its query.
    pub(crate) target: &'a str,
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Fails the test if neither the contracts' documents nor those of the admin listener describe the answer, both as they
/// went over the wire.
#[track_caller]
pub(crate) fn check_wire(request: &str, answer: &str) {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = headers(head);
    let exchange = Exchange { method, target, status, headers: &headers, body: body.as_bytes() };
    if exchange.fault_in(&ADMIN).is_err() {
        exchange.check();
    }
}

/// The headers of an answer's head.
pub(crate) fn headers(head: &str) -> HeaderMap {
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    headers.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

/// A contract's document.
struct Document {
    name: &'static str,
    mount: String,
    value: Value,
    /// By the text of their schemas.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Exchange<'_> {
    /// Fails the test if the contracts' documents do not describe the answer.
    #[track_caller]
    pub(crate) fn check(&self) {
        self.report(self.fault_in(&CONTRACTS));
    }

    /// The same for the admin listener.
    #[track_caller]
    pub(crate) fn check_admin(&self) {
        self.report(self.fault_in(&ADMIN));
    }

    #[track_caller]
    fn report(&self, fault: Result<(), String>) {
        if let Err(fault) = fault {
            let Self { method, target, status, .. } = self;
            let body = String::from_utf8_lossy(self.body);
            panic!("{method} {target} was answered {status}, but {fault}\n{:?}\n{body}", self.headers);
        }
    }

    /// What the contracts' documents have against the answer.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault_in(&CONTRACTS).err()
    }

    /// What is wrong with the answer; it belongs to the document with the longest mount.
    fn fault_in(&self, documents: &[Document]) -> Result<(), String> {
        let path = self.target.split('?').next().unwrap_or_default();
        // The alias of the trigger contract.
        let path = if path == "/notification" { "/v2/notification" } else { path };
        let below = |document: &Document| {
            let rest = path.strip_prefix(&*document.mount)?;
            // The mount itself is the path that ends in a slash.
            let rest = if rest.is_empty() { "/" } else { rest };
            rest.starts_with('/').then(|| rest.to_owned())
        };
        let mounted = documents.iter().filter_map(|document| Some((document, below(document)?)));
        let (document, path) = mounted.max_by_key(|(document, _)| document.mount.len()).ok_or("it is nobody's")?;
        self.against(document, &path).map_err(|fault| format!("config/openapi/{}.json: {fault}", document.name))
    }

    fn against(&self, document: &Document, path: &str) -> Result<(), String> {
        let status = self.status.to_string();
        let template = document.template(path);
        let operation = template.and_then(|(_, item)| item.get(self.method.to_lowercase()));
        let response = match (template, operation) {
            (Some((template, _)), Some(operation)) => {
                let place = format!("{} {template}", self.method);
                let response = operation["responses"].get(&status);
                document.resolve(response.ok_or(format!("{place} does not describe this status"))?)
            }
            (template, _) => document.stray(template.is_some(), self.status)?,
        };
        self.check_headers(document, response)?;
        if self.method == "HEAD" { Ok(()) } else { self.check_body(document, response) }
    }

    fn check_headers(&self, document: &Document, response: &Value) -> Result<(), String> {
        let empty = serde_json::Map::new();
        let described = response["headers"].as_object().unwrap_or(&empty);
        for name in self.headers.keys().map(HeaderName::as_str) {
            if !FRAMING.contains(&name) && !described.keys().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(format!("the header {name} is not described"));
            }
        }
        for (name, header) in described {
            let header = document.resolve(header);
            match self.headers.get(name).map(|value| value.to_str().unwrap_or_default()) {
                None if header["required"] == true => return Err(format!("the header {name} is missing")),
                Some(value) if header["schema"]["type"] == "integer" && value.parse::<u64>().is_err() => {
                    return Err(format!("the header {name} is no number: {value}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_body(&self, document: &Document, response: &Value) -> Result<(), String> {
        let media_type = self.headers.get("content-type").map(|value| value.to_str().unwrap_or_default());
        let Some(content) = response.get("content") else {
            let none = self.body.is_empty() && media_type.is_none();
            return if none { Ok(()) } else { Err("a body is not described".to_owned()) };
        };
        let media_type = media_type.ok_or("it has no Content-Type")?.split(';').next().unwrap_or_default().trim();
        let schema = &content.get(media_type).ok_or(format!("the media type {media_type} is not described"))?["schema"];
        let value = if media_type.ends_with("json") {
            serde_json::from_slice(self.body).map_err(|error| format!("its body is no JSON: {error}"))?
        } else {
            Value::from(String::from_utf8_lossy(self.body))
        };
        document.validate(schema, &value)
    }
}

impl Document {
    fn shipped(name: &'static str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/openapi/{name}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let mount = value["servers"][0]["url"].as_str().unwrap().trim_end_matches('/').to_owned();
        close(&mut value["paths"]);
        close(&mut value["components"]["responses"]);
        // A schema with a name is closed where it is used: it may be a part of another.
        value["components"]["schemas"].as_object_mut().unwrap().values_mut().for_each(close_inside);
        Self { name, mount, value, validators: Mutex::default() }
    }

    /// The template and the item of the path that `path` matches; one without parameters goes first.
    fn template(&self, path: &str) -> Option<(&str, &Value)> {
        let paths = self.value["paths"].as_object().unwrap().iter();
        let matching = paths.filter(|(template, _)| matches(template, path));
        matching.min_by_key(|(template, _)| template.matches('{').count()).map(|(t, item)| (t.as_str(), item))
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        target.map_or(value, |pointer| self.value.pointer(pointer).unwrap())
    }

    /// What may be answered where there is no operation.
    fn stray(&self, is_path: bool, status: u16) -> Result<&Value, String> {
        let name = match (status, is_path) {
            (400, _) => "BadRequest",
            (404, false) => "NotFound",
            (405, true) => "MethodNotAllowed",
            _ => return Err("it describes no such operation".to_owned()),
        };
        Ok(&self.value["components"]["responses"][name])
    }

    /// What checks a value against `schema`, made once.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let make = || {
            let mut whole = schema.clone();
            whole["components"] = self.value["components"].clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            Arc::new(options.build(&whole).unwrap())
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(make))
    }

    fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(schema);
        let faults: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{error} at `{}`", error.instance_path())).collect();
        if faults.is_empty() { Ok(()) } else { Err(format!("its body is not as {schema} says: {}", faults.join("; "))) }
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let is_like =
        |(template, segment): (&&str, &&str)| template == segment || template.starts_with('{') && !segment.is_empty();
    template.len() == path.len() && template.iter().zip(&path).all(is_like)
}

/// Refuses further members wherever a schema, or what it refers to, says nothing of them.
fn close(value: &mut Value) {
    close_inside(value);
    let Some(object) = value.as_object_mut() else { return };
    if object.contains_key("$ref")
        || object.contains_key("allOf")
        || object.get("properties").is_some_and(Value::is_object)
    {
        object.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// The same for all that is inside `value`. The parts of an `allOf` have what they have together.
fn close_inside(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Array(parts) if name == "allOf" => parts.iter_mut().for_each(close_inside),
                    member => close(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
