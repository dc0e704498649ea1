//! The routes, and from request to use case and back.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use prometheus_client::metrics::counter::Counter;

use super::command::{self, Command, TYPES};
use super::error::Error;
use super::openapi::document;
use super::parameters::Parameters;
use super::{TriggerSettings, UnknownRecipient, b3};
use crate::api::media_type::MediaType;
use crate::api::metrics::ApiMetrics;
use crate::api::openapi::{self, Served};
use crate::api::unknown_members::note_ignored;
use crate::auth::{Principal, scope};
use crate::base::secret::sha256_fields;
use crate::base::trace::TraceContext;
use crate::engine::{Engine, Repeats, Trigger};
use crate::http::contract::{Access, BodyRule, Contract, Refusal, Request, Response, Route, Trace, Verb};
use crate::model::event::{EventDraft, Extension, Identity};
use crate::model::id::EventTypeId;
use crate::model::json::RawJson;
use crate::model::subscription::ContractName;

/// Its name in metrics and logs.
const NAME: &str = "trigger";

/// The extension attribute with the parameters as they came.
const RAW: &str = "parameters";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Notify,
    Document,
}

/// The contract's table: routing, scopes, metric labels and the document follow from it.
pub(super) const ROUTES: [Route<Operation>; 2] = [
    Route {
        method: Verb::Post,
        path: "",
        operation: Operation::Notify,
        label: "notify",
        access: Access::Key(scope::TRIGGER),
        body: BodyRule::Ordinary,
        trace: Trace::None,
    },
    openapi::route(Operation::Document),
];

/// The trigger contract over an engine.
pub struct TriggerContract {
    settings: TriggerSettings,
    engine: Arc<Engine>,
    ignored_members: Counter,
    document: Served,
}

impl TriggerContract {
    /// The contract as `settings` say; what it counts goes to `metrics`.
    #[must_use]
    pub fn new(settings: TriggerSettings, engine: Arc<Engine>, metrics: &ApiMetrics) -> Self {
        Self { settings, engine, ignored_members: metrics.ignored_members(NAME), document: Served::default() }
    }

    async fn dispatch(&self, route: usize, request: &Request) -> Result<Response, Error> {
        let route = ROUTES.get(route).ok_or(Error::NoSuchPath)?;
        match route.operation {
            Operation::Notify => {
                let caller = request.principal.as_ref();
                self.notify(request, caller.ok_or_else(|| Error::Unauthorised("A key is needed.".to_owned()))?).await
            }
            Operation::Document => Ok(self.document.answer(|| document(&self.settings))),
        }
    }

    async fn notify(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(Error::MediaType);
        }
        let command = command::parse(&request.body, self.settings.unknown_members, |name| self.knows(name))?;
        note_ignored(&command.unknown, &self.ignored_members, &request.id);
        let trace = b3::trace(request);
        let trigger = self.trigger(caller, command, trace.as_ref().map(|(context, _)| context.clone()));
        let bounds = caller.publish.as_ref();
        let draft = &trigger.draft;
        // For whom it is follows from the key's organisation.
        if bounds.is_some_and(|bounds| !bounds.outside(draft.event_type.as_str(), &draft.source, None).is_empty()) {
            return Err(Error::Unauthorised(
                "The key may not tell of this type: its entry bounds what it may.".to_owned(),
            ));
        }
        let triggered = self.engine.trigger(trigger).await?;
        if !triggered.found {
            tracing::info!(request_id = request.id, event = %triggered.receipt.id, "nobody was told: the customer is not known");
        }
        let answer = Response::empty(StatusCode::OK);
        Ok(match trace.and_then(|(_, id)| HeaderValue::from_str(id).ok()) {
            Some(id) => answer.header(HeaderName::from_static(b3::TRACE_ID), id),
            None => answer,
        })
    }

    /// Whether it is a published type, or one that the catalogue declares.
    fn knows(&self, name: &str) -> bool {
        let settings = self.engine.settings();
        let declared = || settings.catalogue.get(name).is_some_and(|of| of.is_of(ContractName::Trigger));
        TYPES.contains(&name) || declared()
    }

    fn trigger(&self, caller: &Principal, command: Command, trace: Option<TraceContext>) -> Trigger {
        let Command { kind, parameters, unknown: _ } = command;
        let keys = self.settings.recipient_keys.iter();
        let keys = keys.filter_map(|name| Some((name.clone(), parameters.text(name)?))).collect();
        let window = self.settings.repeat_window;
        Trigger {
            organisation: caller.affiliation.organisation.clone(),
            keys,
            accepts_unknown: self.settings.unknown_recipient == UnknownRecipient::Accept,
            identity: identity(caller, &kind, &parameters, trace.as_ref()),
            repeats: Repeats::Loose(window),
            draft: EventDraft {
                publisher: caller.client_id.clone(),
                id: None,
                source: format!("urn:tidings:client:{}", caller.client_id),
                event_type: EventTypeId::new(&kind),
                subject: None,
                time: None,
                data_schema: None,
                audience: None,
                expiry: None,
                trace,
                extensions: vec![Extension { name: RAW.to_owned(), value: RawJson::string(&parameters.raw) }],
                data: Some(parameters.object),
            },
        }
    }
}

/// What makes a repeat: the key, the type and the parameters; and where both have one, the trace.
fn identity(caller: &Principal, kind: &str, parameters: &Parameters, trace: Option<&TraceContext>) -> Identity {
    let (client, print) = (caller.client_id.as_str(), parameters.fingerprint());
    let hash = sha256_fields([Some(NAME.as_bytes()), Some(client.as_bytes()), Some(kind.as_bytes()), Some(&print)]);
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&hash[..16]);
    let trace = trace.and_then(|context| u128::from_str_radix(context.trace_id(), 16).ok()).unwrap_or_default();
    Identity { fingerprint, content: trace.to_be_bytes() }
}

#[async_trait]
impl Contract for TriggerContract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn mount(&self) -> &str {
        &self.settings.mount
    }

    fn aliases(&self) -> &[String] {
        &self.settings.aliases
    }

    fn routes(&self) -> Vec<Route<()>> {
        ROUTES.into_iter().map(Route::without_operation).collect()
    }

    /// No route has a large body.
    fn max_body(&self) -> usize {
        0
    }

    async fn call(&self, route: usize, request: Request) -> Response {
        self.dispatch(route, &request).await.unwrap_or_else(|error| error.answer(&request.id))
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Response {
        Error::from(refusal).answer(request_id)
    }
}
