//! Where the notifications of a registration go: what may stand in `attributes`.

use super::error::Problem;
use super::settings::RegistrationsSettings;
use crate::base::outbound::Destination;
use crate::engine::Engine;
use crate::model::address::Address;
use crate::model::notification::EndpointKind;
use crate::model::target::{EmailTarget, Role, Shape, Target, WebhookTarget};

/// The longest URL in bytes.
pub(super) const MAX_URL: usize = 2048;

/// The member with the URL.
pub(super) const URI: &str = "attributes.webhookURI";

/// The member with the address.
pub(super) const EMAIL: &str = "attributes.email";

/// Where a registration is to go, as far as its text tells.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A URL, without slashes at its end.
    Webhook(String, Destination),
    /// An address.
    Email(Address),
}

impl Place {
    /// The URL in `text`.
    pub(super) fn webhook(text: &str, settings: &RegistrationsSettings) -> Result<Self, Problem> {
        let problem = |message: String| Err(Problem::of(URI, message));
        bounded(text)?;
        let url = text.trim_end_matches('/');
        match Destination::parse(url) {
            Err(error) => problem(error.to_string()),
            Ok(to) if !to.is_secure() && !settings.allow_http => problem("must begin with https://".to_owned()),
            Ok(to) => Ok(Self::Webhook(url.to_owned(), to)),
        }
    }

    /// The address in `text`.
    pub(super) fn email(text: &str) -> Result<Self, Problem> {
        let problem = || Problem::of(EMAIL, "must be an e-mail address such as myTeam@company.com");
        Address::parse(text).map(Self::Email).ok_or_else(problem)
    }

    /// The kind of endpoint.
    pub(super) const fn kind(&self) -> EndpointKind {
        match self {
            Self::Webhook(..) => EndpointKind::Webhook,
            Self::Email(_) => EndpointKind::Email,
        }
    }

    /// What goes there, a webhook under the policy `egress` and as yet without a secret.
    pub(super) fn target(&self, egress: &str) -> Target {
        match self {
            Self::Webhook(url, _) => {
                Target::Webhook(WebhookTarget { shape: Shape::Registration, ..WebhookTarget::new(url, egress) })
            }
            Self::Email(address) => Target::Email(EmailTarget {
                address: address.as_str().to_owned(),
                role: Role::Subscriber,
                template: None,
                locale: None,
            }),
        }
    }

    /// What is against it: the subscriber's own `domains`, where there are any, and what the files allow.
    pub(super) fn refuse(&self, egress: &str, domains: &[String], engine: &Engine) -> Vec<Problem> {
        let field = match self {
            Self::Webhook(..) => URI,
            Self::Email(_) => EMAIL,
        };
        let outside = match self {
            Self::Webhook(_, to) if !domains.is_empty() && !is_in(to.host(), domains) => {
                Some(format!("the host {} is in none of the subscriber's webhook domains", to.host()))
            }
            _ => None,
        };
        let objections = outside.into_iter().chain(engine.objection(&self.target(egress)));
        objections.map(|message| Problem::of(field, message)).collect()
    }
}

/// Refuses a URL that is too long, slashes at its end included.
pub(super) fn bounded(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_URL {
        return Err(Problem::of(URI, format!("must be at most {MAX_URL} bytes long")));
    }
    Ok(())
}

/// Whether `host` is one of `domains` or below one.
fn is_in(host: &str, domains: &[String]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    domains
        .iter()
        .any(|domain| host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_in_a_domain_or_below_it_and_not_beside_it() {
        let domains = ["example.com".to_owned(), "b.test".to_owned()];
        for host in ["example.com", "a.example.com", "a.b.example.com", "example.com.", "b.test"] {
            assert!(is_in(host, &domains), "{host}");
        }
        for host in ["badexample.com", "example.com.evil", "com", "example", "", "a.test"] {
            assert!(!is_in(host, &domains), "{host}");
        }
    }

    #[test]
    fn slashes_at_the_end_are_stripped_and_plain_http_needs_the_switch() {
        let settings = |allow_http| RegistrationsSettings { allow_http, ..RegistrationsSettings::default() };
        let url = |text: &str, allow_http| match Place::webhook(text, &settings(allow_http)) {
            Ok(Place::Webhook(url, _)) => url,
            other => format!("{other:?}"),
        };
        assert_eq!(url("https://example.com/webhook/", false), "https://example.com/webhook");
        assert_eq!(url("https://example.com/", false), "https://example.com");
        assert_eq!(url("http://example.com/", true), "http://example.com");
        assert!(url("http://example.com/", false).contains("must begin with https://"));
        let path = |length: usize| format!("https://e.x/{}", "x".repeat(length - "https://e.x/".len()));
        assert_eq!(url(&path(MAX_URL), false).len(), MAX_URL);
        assert!(url(&path(MAX_URL + 1), false).contains("at most 2048 bytes"));
        assert!(url(&format!("{}/", path(MAX_URL)), false).contains("at most 2048 bytes"));
    }
}
