//! From a contract's outline to the text of its document.

use std::collections::{BTreeMap, BTreeSet};

use hyper::StatusCode;
use serde_json::Value;
use utoipa::openapi::content::Content;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder, Responses};
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Server};

use super::description::{Description, Outcome};
use super::headers;
use super::refusals::{self, Refused};
use super::security::Security;
use super::shape::Shape;
use crate::api::problem;
use crate::http::contract::{Refusal, Route, Verb};

/// What a contract's document is made of.
pub(in crate::api) struct Outline<'a, Operation> {
    /// The contract's title.
    pub(in crate::api) title: &'static str,
    /// What it is for, in Markdown.
    pub(in crate::api) text: &'static str,
    /// Where it is served; a path where the document is to hold wherever it is found.
    pub(in crate::api) server: String,
    /// `server.public_url`, which leads to the pages of problems.
    pub(in crate::api) public_url: &'a str,
    /// Where tokens are got.
    pub(in crate::api) token_url: String,
    /// Its table.
    pub(in crate::api) routes: &'a [Route<Operation>],
    /// What it says of each operation.
    pub(in crate::api) describe: &'a dyn Fn(Operation) -> Description,
    /// What it answers to what the server refuses. It is called to make the document, and must not log.
    pub(in crate::api) refuse: &'a dyn Fn(&Refusal) -> crate::http::contract::Response,
    /// The schema of its errors in `application/json`; those in `application/problem+json` are problems.
    pub(in crate::api) error: Shape,
}

impl<O: Copy> Outline<'_, O> {
    /// The document: JSON for people, with a line end.
    #[must_use]
    pub(in crate::api) fn write(&self) -> String {
        let mut writer = Writer::new(self.refused(), self.error.clone());
        let mut paths = Paths::new();
        for route in self.routes {
            let operation = writer.operation(route, (self.describe)(route.operation));
            paths.add_path_operation(route.path, vec![method(route.method)], operation);
        }
        let document = self.head().paths(paths).components(Some(writer.components(&self.token_url))).build();
        let text = document.to_pretty_json().expect("texts, numbers and tables with text keys have a JSON form");
        text + "\n"
    }

    fn refused(&self) -> Vec<Refused> {
        refusals::all(self.public_url, self.refuse)
    }

    fn head(&self) -> OpenApiBuilder {
        let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
        let info = InfoBuilder::new()
            .title(self.title)
            .description(Some(self.text))
            .version(env!("CARGO_PKG_VERSION"))
            .license(Some(license));
        let server = if self.server.is_empty() { "/" } else { &*self.server };
        OpenApi::builder().info(info.build()).servers(Some([Server::new(server)]))
    }
}

const fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Patch => HttpMethod::Patch,
        Verb::Delete => HttpMethod::Delete,
    }
}

/// Collects what the operations share.
struct Writer {
    refused: Vec<Refused>,
    error: Shape,
    schemas: BTreeMap<String, RefOr<Schema>>,
    security: Security,
    ids: BTreeSet<String>,
}

impl Writer {
    fn new(refused: Vec<Refused>, error: Shape) -> Self {
        Self { refused, error, schemas: BTreeMap::new(), security: Security::default(), ids: BTreeSet::new() }
    }

    fn operation<O>(&mut self, route: &Route<O>, description: Description) -> Operation {
        let Description { summary, text, parameters, body, outcomes, client_authenticates } = description;
        let body = body.map(|body| {
            let (body, shapes) = body.into_parts();
            for shape in shapes {
                self.note(shape);
            }
            body
        });
        OperationBuilder::new()
            .summary(Some(summary))
            .description(Some(text))
            .operation_id(Some(self.id(route.label)))
            .parameters((!parameters.is_empty()).then_some(parameters))
            .request_body(body)
            .securities(Some(self.security.of(route.access, client_authenticates)))
            .responses(self.responses(route, &outcomes))
            .build()
    }

    /// The label, with a number where a contract has an operation at several paths.
    fn id(&mut self, label: &str) -> String {
        let numbered = (2..).map(|number| format!("{label}-{number}"));
        let id = std::iter::once(label.to_owned()).chain(numbered).find(|id| !self.ids.contains(id));
        let id = id.expect("numbers do not end");
        self.ids.insert(id.clone());
        id
    }

    /// What the operation itself answers in full; what it shares with all others by reference.
    fn responses<O>(&mut self, route: &Route<O>, outcomes: &[Outcome]) -> Responses {
        let own: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.response.status).collect();
        let met = self.refused.iter().filter(|refused| refused.is_met(route));
        let shared: BTreeSet<u16> = met.map(|refused| refused.outcome.response.status).collect();
        let mut responses = Responses::new();
        for &status in own.union(&shared) {
            let response = if own.contains(&status) {
                let all = outcomes.iter().filter(|outcome| outcome.response.status == status).cloned();
                let met = self.refused.iter().filter(|refused| refused.is_met(route));
                let refused = met.map(|refused| &refused.outcome).filter(|o| o.response.status == status).cloned();
                let all: Vec<_> = all.chain(refused).collect();
                RefOr::T(self.response(status, &all))
            } else {
                RefOr::Ref(Ref::from_response_name(name(status)))
            };
            responses.responses.insert(status.to_string(), response);
        }
        responses
    }

    fn response(&mut self, status: u16, outcomes: &[Outcome]) -> Response {
        let text: Vec<_> = outcomes.iter().map(|outcome| outcome.when.as_str()).collect();
        let samples: Vec<_> = outcomes.iter().map(|outcome| &outcome.response).collect();
        let request_id = Ref::new(format!("#/components/headers/{}", headers::REQUEST_ID));
        let mut response =
            ResponseBuilder::new().description(text.join(" ")).header_ref(headers::REQUEST_ID, request_id);
        for (name, header) in headers::of(status, &samples) {
            response = response.header(name, header);
        }
        for (media_type, content) in self.contents(outcomes) {
            response = response.content(media_type, content);
        }
        response.build()
    }

    fn contents(&mut self, outcomes: &[Outcome]) -> BTreeMap<String, Content> {
        let mut contents = BTreeMap::<String, ContentBuilder>::new();
        for outcome in outcomes {
            let Some((media_type, example)) = &outcome.response.body else { continue };
            let shape = outcome.shape.clone().unwrap_or_else(|| self.error_in(media_type));
            let content = contents.remove(media_type).unwrap_or_default().schema(Some(shape.schema.clone()));
            self.note(shape);
            let example = if outcome.shared {
                RefOr::Ref(Ref::new(format!("#/components/examples/{}", outcome.name)))
            } else {
                RefOr::T(shown(outcome, example))
            };
            contents.insert(media_type.clone(), content.examples_from_iter([(outcome.name, example)]));
        }
        contents.into_iter().map(|(media_type, content)| (media_type, content.build())).collect()
    }

    fn error_in(&self, media_type: &str) -> Shape {
        if media_type == problem::MEDIA_TYPE { Shape::of::<problem::Body<'_>>() } else { self.error.clone() }
    }

    fn note(&mut self, shape: Shape) {
        for (name, schema) in shape.named {
            let before = self.schemas.insert(name.clone(), schema);
            debug_assert!(
                before.is_none_or(|before| before == self.schemas[&name]),
                "two schemas have the name {name}"
            );
        }
    }

    /// What the operations refer to.
    fn components(mut self, token_url: &str) -> Components {
        let outcomes: Vec<_> = self.refused.iter().map(|refused| refused.outcome.clone()).collect();
        let statuses: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.response.status).collect();
        let mut components = ComponentsBuilder::new().header(headers::REQUEST_ID, headers::request_id());
        for status in statuses {
            let same: Vec<_> = outcomes.iter().filter(|o| o.response.status == status).cloned().collect();
            components = components.response(name(status), self.response(status, &same));
        }
        for outcome in &outcomes {
            if let Some((_, example)) = &outcome.response.body {
                components = components.example(outcome.name, shown(outcome, example));
            }
        }
        for (name, scheme) in self.security.schemes(token_url) {
            components = components.security_scheme(name, scheme);
        }
        components.schemas_from_iter(self.schemas).build()
    }
}

fn shown(outcome: &Outcome, body: &Value) -> Example {
    ExampleBuilder::new().summary(&outcome.when).value(Some(body.clone())).build()
}

/// The name of what is shared by answers with this status, for example `NotFound`.
fn name(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.unwrap_or("Unknown").split(' ').collect()
}
