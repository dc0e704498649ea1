//! The domains that the webhooks of a subscriber may be in.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::contract::{RegistrationsContract, not_stored};
use super::error::{Error, Problem, What};
use super::subscriber;
use crate::api::media_type::MediaType;
use crate::api::unknown_members::{UnknownMembers, note_ignored};
use crate::auth::Principal;
use crate::base::outbound::Destination;
use crate::http::contract::{Request, Response};
use crate::model::json::{Members, check, string};

/// The most domains of one subscriber.
pub(super) const MAX_DOMAINS: usize = 100;

/// The longest domain (RFC 1035, 2.3.4).
const MAX_DOMAIN: usize = 253;

const MEMBER: &str = "webhookDomain";

/// A domain that webhooks may be in, or below.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDomain)]
#[serde(rename_all = "camelCase")]
pub(super) struct Domain<'a> {
    /// The domain; of an answer in small letters, and in ASCII.
    #[schema(min_length = 1, max_length = 253)]
    webhook_domain: &'a str,
}

/// The domains of a subscriber. Where there is none, webhooks may be in any.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDomains)]
#[serde(rename_all = "camelCase")]
pub(super) struct Domains<'a> {
    /// The domains, in order.
    webhook_domains: &'a [String],
}

impl RegistrationsContract {
    pub(super) async fn add_domain(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        if !MediaType::of(&request.headers).is_some_and(|t| t.is("application/json")) {
            return Err(Error::MediaType);
        }
        let (domain, unknown) = parse(&request.body, self.settings.unknown_members)?;
        note_ignored(&unknown, &self.ignored_members, &request.id);
        let _one_at_a_time = self.adding_domains.lock().await;
        let there = self.engine.webhook_domains(&subscriber).await?;
        if there.len() >= MAX_DOMAINS && !there.contains(&domain) {
            return Err(Error::Limit(format!(
                "The subscriber has {MAX_DOMAINS} webhook domains, which is the limit; delete one."
            )));
        }
        self.engine.add_webhook_domain(&subscriber, &domain).await?;
        let body = serde_json::to_vec(&Domain { webhook_domain: &domain }).expect("strings always have a JSON form");
        Ok(not_stored(Response::json(StatusCode::CREATED, body)).about(domain))
    }

    pub(super) async fn domains(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let domains = self.engine.webhook_domains(&subscriber).await?;
        let body = serde_json::to_vec(&Domains { webhook_domains: &domains }).expect("strings always have a JSON form");
        Ok(not_stored(Response::json(StatusCode::OK, body)))
    }

    pub(super) async fn remove_domain(&self, request: &Request, caller: &Principal) -> Result<Response, Error> {
        let subscriber = subscriber::of(request, caller)?;
        let none = Error::NotFound(What::Domain);
        let domain = normal(request.param(MEMBER)).ok_or_else(|| none.clone())?;
        let was_there = self.engine.remove_webhook_domain(&subscriber, &domain).await?;
        if was_there { Ok(Response::empty(StatusCode::NO_CONTENT)) } else { Err(none) }
    }
}

fn parse(body: &[u8], unknown_members: UnknownMembers) -> Result<(String, Vec<String>), Error> {
    let whole = |message: String| Error::Invalid(vec![Problem { field: None, message }]);
    let raw = check(body).map_err(|e| whole(format!("the body is not acceptable JSON: {e}")))?;
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        return Err(whole("the body must be a JSON object".to_owned()));
    };
    let (mut domain, mut unknown, mut problems) = (Err("is missing"), Vec::new(), Vec::new());
    for (name, value) in members {
        if name == MEMBER { domain = read(value) } else { unknown.push(name.into_owned()) }
    }
    if unknown_members == UnknownMembers::Refuse {
        problems.extend(unknown.iter().map(|name| Problem::of(name, "is not a member of this request")));
    }
    match domain {
        Ok(domain) if problems.is_empty() => return Ok((domain, unknown)),
        Ok(_) => {}
        Err(message) => problems.push(Problem::of(MEMBER, message)),
    }
    Err(Error::Invalid(problems))
}

fn read(value: &RawValue) -> Result<String, &'static str> {
    let text = string(value).ok_or("must be a string")?;
    normal(&text).ok_or("must be a domain such as example.com")
}

/// A domain in small letters and in ASCII; `None` if it is none.
fn normal(text: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let labels = text.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    if text.len() > MAX_DOMAIN || !labels || !text.chars().all(plain) {
        return None;
    }
    let url = Destination::parse(&format!("https://{text}/")).ok()?;
    (url.address().is_none() && url.host().len() <= MAX_DOMAIN).then(|| url.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_normalised_and_what_is_none_is_not_taken() {
        for (text, domain) in
            [("Example.com", "example.com"), ("a-b.example", "a-b.example"), ("hôte.example", "xn--hte-kna.example")]
        {
            assert_eq!(normal(text).as_deref(), Some(domain));
        }
        let long = format!("{}.example", "x".repeat(250));
        for bad in ["", ".", "a..b", ".a", "a.", "-a.b", "a b", "*.example.com", "a/b", "a:1", "10.0.0.1", "u@h", &long]
        {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }
}
