//! Requests that only look.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;

use super::error::{no_event, no_notification, no_subscription};
use super::given::Given;
use super::{cursor, event, filter, notification, story, subscription};
use crate::api::events::error::Error;
use crate::engine::{Engine, SubscriptionFilter};
use crate::http::contract::{Request, Response};
use crate::model::id::{ClientId, LedgerId, MAX_NAME};

/// The longest page of a list, and how long it is where the request does not say.
pub(super) const MAX_LIMIT: usize = 1000;
pub(super) const LIMIT: usize = 100;

/// An answer that tells what holds now, which nobody may keep.
pub(super) fn answer(body: &impl Serialize) -> Result<Response, Error> {
    let body =
        serde_json::to_vec(body).map_err(|error| Error::inside(format!("an answer cannot be written: {error}")))?;
    Ok(not_stored(body))
}

/// The same with a body that is JSON already.
pub(super) fn not_stored(body: impl Into<Bytes>) -> Response {
    Response::json(StatusCode::OK, body).header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// The id in the path; one that none can have is that of no notification.
pub(super) fn notification_id(request: &Request) -> Result<LedgerId, Error> {
    LedgerId::parse(request.param("id")).ok_or_else(no_notification)
}

pub(super) async fn list(request: &Request, engine: &Engine) -> Result<Response, Error> {
    let mut given = Given::query(request);
    let filter = filter::read(&mut given);
    let cursor = filter::cursor(&mut given);
    let limit = given.number("limit", 1..=MAX_LIMIT).unwrap_or(LIMIT);
    given.finish()?;
    let looked = engine.notifications(&filter, cursor, limit).await?;
    answer(&notification::Page::of(&looked))
}

pub(super) async fn story(request: &Request, engine: &Engine) -> Result<Response, Error> {
    Given::query(request).finish()?;
    let report = engine.story(notification_id(request)?).await?.ok_or_else(no_notification)?;
    answer(&story::Story::of(&report))
}

pub(super) async fn event(request: &Request, engine: &Engine) -> Result<Response, Error> {
    Given::query(request).finish()?;
    let id = LedgerId::parse(request.param("id")).ok_or_else(no_event)?;
    let report = engine.event(id).await?.ok_or_else(no_event)?;
    answer(&event::Told::of(&report))
}

pub(super) fn subscriptions(request: &Request, engine: &Engine) -> Result<Response, Error> {
    let mut given = Given::query(request);
    let filter = SubscriptionFilter {
        client: given.text("client", |text| filter::bounded(text, MAX_NAME).map(ClientId::new)),
        held: given.choice("held"),
    };
    let after = given.text("cursor", cursor::read_id);
    let limit = given.number("limit", 1..=MAX_LIMIT).unwrap_or(LIMIT);
    given.finish()?;
    answer(&subscription::Page::of(&engine.all_subscriptions(&filter, after.as_ref(), limit)))
}

pub(super) fn subscription(request: &Request, engine: &Engine) -> Result<Response, Error> {
    Given::query(request).finish()?;
    let report = engine.any_subscription(request.param("id")).ok_or_else(no_subscription)?;
    answer(&subscription::Subscription::of(&report))
}
