//! Requests that change something.

use hyper::StatusCode;
use utoipa::ToSchema;

use super::filter::names;
use super::given::Given;
use super::looking::{answer, notification_id};
use super::notification::Notification;
use super::openapi::state;
use super::outcome::Outcome;
use super::subscription::{Purged, Subscription};
use super::{cursor, filter};
use crate::api::events::error::Error;
use crate::engine::{Bulk, BulkAction, Engine, Filter, MAX_BULK};
use crate::http::contract::{Request, Response};
use crate::model::id::ClientId;
use crate::model::notification::State;

/// How many one call acts on that does not say.
pub(super) const LIMIT: usize = 1000;

/// Whether it is only to be said what would be done.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct DryRun {
    /// Whether nothing is to be changed.
    #[schema(default = false, nullable = false)]
    dry_run: Option<bool>,
}

/// Which notifications are meant, by at least one of `state`, `reason`, `type`, `subscription`, `from` and `to`; and how
/// many of them.
#[derive(ToSchema)]
#[schema(as = Bulk)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used: a body is read member by member, to say all that is wrong")]
pub(super) struct WireBulk {
    #[schema(schema_with = state)]
    state: Option<String>,
    /// Those with this reason.
    #[schema(min_length = 1, max_length = 1024, nullable = false)]
    reason: Option<String>,
    /// Those of events of this type.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    r#type: Option<String>,
    /// Those of this subscription.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    subscription: Option<String>,
    /// Those whose event was accepted at this instant or later.
    #[schema(format = DateTime, nullable = false)]
    from: Option<String>,
    /// Those whose event was accepted before this instant.
    #[schema(format = DateTime, nullable = false)]
    to: Option<String>,
    /// Where to go on, as an answer has said.
    #[schema(nullable = false)]
    cursor: Option<String>,
    /// The most to act on.
    #[schema(minimum = 1, maximum = 100_000, default = 1000, nullable = false)]
    limit: Option<u64>,
    /// Whether nothing is to be changed.
    #[schema(default = false, nullable = false)]
    dry_run: Option<bool>,
}

pub(super) async fn retry(request: &Request, by: &str, engine: &Engine) -> Result<Response, Error> {
    let dry_run = dry_run(request)?;
    let view = engine.retry(notification_id(request)?, by, dry_run).await?;
    Ok(tried(answer(&Notification::of(&view))?, request, dry_run))
}

pub(super) async fn cancel(request: &Request, by: &str, engine: &Engine) -> Result<Response, Error> {
    let dry_run = dry_run(request)?;
    let view = engine.cancel(notification_id(request)?, by, dry_run).await?;
    Ok(tried(answer(&Notification::of(&view))?, request, dry_run))
}

pub(super) async fn cancel_all(request: &Request, by: String, engine: &Engine) -> Result<Response, Error> {
    act_on_all(BulkAction::Cancel, request, by, engine).await
}

pub(super) async fn replay_all(request: &Request, by: String, engine: &Engine) -> Result<Response, Error> {
    act_on_all(BulkAction::Replay, request, by, engine).await
}

pub(super) async fn pause(request: &Request, engine: &Engine) -> Result<Response, Error> {
    nothing_else(request)?;
    answer(&Subscription::of(&engine.pause(request.param("id")).await?))
}

pub(super) async fn resume(request: &Request, engine: &Engine) -> Result<Response, Error> {
    nothing_else(request)?;
    answer(&Subscription::of(&engine.resume(request.param("id")).await?))
}

pub(super) async fn delete(request: &Request, engine: &Engine) -> Result<Response, Error> {
    nothing_else(request)?;
    engine.end_subscription(request.param("id")).await?;
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn purge(request: &Request, engine: &Engine) -> Result<Response, Error> {
    let dry_run = dry_run(request)?;
    let client = request.param("id");
    let ended = engine.purge(&ClientId::new(client), dry_run).await?;
    Ok(tried(answer(&Purged::of(client, &ended, dry_run))?, request, dry_run))
}

/// The answer, of which the audit trail says what was only tried.
fn tried(response: Response, request: &Request, dry_run: bool) -> Response {
    if dry_run { response.about(format!("{} (dry run)", request.param("id"))) } else { response }
}

async fn act_on_all(action: BulkAction, request: &Request, by: String, engine: &Engine) -> Result<Response, Error> {
    let bulk = read_bulk(action, request, by)?;
    let done = engine.act_on_all(&bulk).await?;
    let dry = if bulk.dry_run { " (dry run)" } else { "" };
    let object = format!("{} notifications{dry}", done.done);
    Ok(answer(&Outcome::of(&done, bulk.dry_run))?.about(object))
}

fn read_bulk(action: BulkAction, request: &Request, by: String) -> Result<Bulk, Error> {
    no_query(request)?;
    let mut given = Given::body(request)?;
    let filter = filter::read(&mut given);
    refuse_unfit(action, &filter, &mut given);
    let cursor = given.text("cursor", cursor::read);
    let limit = given.number("limit", 1..=MAX_BULK).unwrap_or(LIMIT);
    let dry_run = given.flag("dryRun");
    given.finish()?;
    Ok(Bulk { action, filter, cursor, limit, by, dry_run })
}

/// A filter that means everything, or nothing that this can be done with, is a slip.
fn refuse_unfit(action: BulkAction, filter: &Filter, given: &mut Given<'_>) {
    if filter.is_empty() && given.is_well() {
        given.refuse("", "must have at least one of state, reason, type, subscription, from and to");
    }
    if filter.state.is_some_and(|state| !action.fits(state)) {
        let fitting = names(State::ALL.into_iter().filter(|&state| action.fits(state)));
        given.refuse("state", format!("must be one of {fitting} here"));
    }
}

/// `dryRun`, which is all that the body may say.
fn dry_run(request: &Request) -> Result<bool, Error> {
    no_query(request)?;
    let mut given = Given::body(request)?;
    let dry_run = given.flag("dryRun");
    given.finish().map(|()| dry_run)
}

/// Nothing but the path says what to do.
fn nothing_else(request: &Request) -> Result<(), Error> {
    no_query(request)?;
    Given::body(request)?.finish()
}

/// What was meant as a dry run must not be done because it was said in the wrong place.
fn no_query(request: &Request) -> Result<(), Error> {
    Given::query(request).finish()
}
