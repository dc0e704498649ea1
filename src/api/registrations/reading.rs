//! The list of registrations.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::contract::{RegistrationsContract, not_stored};
use super::error::Error;
use super::paging::{LAST, Paging};
use super::registration::{Wire, subscriber_of};
use super::subscriber;
use crate::auth::Principal;
use crate::engine::EngineSettings;
use crate::http::contract::{Request, Response};
use crate::model::subscription::{ContractName, Subscription};

/// A page of registrations, those first that were changed last.
#[derive(Serialize, ToSchema)]
#[schema(as = Registrations)]
pub(super) struct List<'a> {
    /// Which page it is.
    page: Page,
    /// The registrations.
    records: Vec<Wire<'a>>,
}

/// Which page it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// The number of the page, from 1.
    #[schema(minimum = 1)]
    #[serde(rename = "page")]
    number: usize,
    /// How many registrations there are; 10,000 where there are more.
    #[schema(maximum = 10_000)]
    total_records: usize,
    /// How many there are in this page.
    #[serde(rename = "pageRecords")]
    records: usize,
    /// How many there are in a page at most.
    #[schema(minimum = 1, maximum = 100)]
    limit: usize,
}

impl RegistrationsContract {
    pub(super) fn list(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let (paging, all) = match request.query_value("registrationId") {
            // `page` and `limit` are ignored, whatever they say.
            Some(id) => (Paging::default(), vec![self.own(&id, &subscriber)?]),
            None => (Paging::of(request)?, self.registrations_of(&subscriber)),
        };
        let settings = self.engine.settings();
        let records: Vec<_> = paging.cut(&all).iter().map(|of| self.wire(of, &settings)).collect();
        let total_records = all.len().min(LAST);
        let page = Page { number: paging.page, total_records, records: records.len(), limit: paging.limit };
        let body = serde_json::to_vec(&List { page, records }).expect("strings and numbers always have a JSON form");
        Ok(not_stored(Response::json(StatusCode::OK, body)))
    }

    /// The registrations of a subscriber, those first that were changed last.
    pub(super) fn registrations_of(&self, subscriber: &str) -> Vec<Arc<Subscription>> {
        let mut all = self.engine.subscriptions_in(ContractName::Registrations);
        all.retain(|registration| subscriber_of(registration) == Some(subscriber));
        all.sort_unstable_by(|a, b| (b.updated_at, &b.id).cmp(&(a.updated_at, &a.id)));
        all
    }

    /// A registration as it is shown where it was not made just now.
    pub(super) fn wire<'a>(&self, registration: &'a Subscription, settings: &'a EngineSettings) -> Wire<'a> {
        Wire::of(registration, settings, self.settings.show_secret)
    }
}
