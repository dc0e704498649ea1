//! Where the notifications of an endpoint go, and how.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::notification::EndpointKind;
use crate::base::clock::Timestamp;
use crate::base::outbound::Destination;

/// Where the notifications of an endpoint go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue that its client polls.
    Poll,
    /// A URL that is posted to.
    Webhook(WebhookTarget),
    /// One address that is mailed to.
    Email(EmailTarget),
}

impl Target {
    /// How it is served.
    #[must_use]
    pub const fn kind(&self) -> EndpointKind {
        match self {
            Self::Poll => EndpointKind::Poll,
            Self::Webhook(_) => EndpointKind::Webhook,
            Self::Email(_) => EndpointKind::Email,
        }
    }

    /// Whether the two are one endpoint of a subscription, in an older and a newer form: its queue stays when the form
    /// changes. A subscription has one queue and one webhook (of several in one, those that are equal come first); an
    /// e-mail endpoint is known by its address and its role.
    #[must_use]
    pub fn is_endpoint_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Poll, Self::Poll) | (Self::Webhook(_), Self::Webhook(_)) => true,
            (Self::Email(one), Self::Email(other)) => one.address == other.address && one.role == other.role,
            _ => false,
        }
    }

    /// In which order its notifications go out; of what is polled that is no question.
    #[must_use]
    pub const fn ordering(&self) -> Ordering {
        match self {
            Self::Webhook(webhook) => webhook.ordering,
            Self::Poll | Self::Email(_) => Ordering::Relaxed,
        }
    }

    /// Whether what it does not take is tried again; if not, it has one try.
    #[must_use]
    pub const fn retries(&self) -> bool {
        match self {
            Self::Webhook(webhook) => webhook.retries,
            Self::Poll | Self::Email(_) => true,
        }
    }

    /// Where it is, for who may see all: the URL without its query, or the address. Empty where it is polled.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Poll => String::new(),
            // It parses, or it would be no target.
            Self::Webhook(webhook) => Destination::parse(&webhook.url).map(|url| url.to_string()).unwrap_or_default(),
            Self::Email(email) => email.address.clone(),
        }
    }

    /// Where it is, for whoever is told of it: of a URL scheme, host and port, for its path may be a secret.
    #[must_use]
    pub fn place(&self) -> String {
        let shown = self.shown();
        match self {
            Self::Poll | Self::Email(_) => shown,
            Self::Webhook(_) => shown.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"),
        }
    }

    /// Whether the event types of its subscription go to it; a contact is told of the subscription itself only.
    #[must_use]
    pub const fn takes_events(&self) -> bool {
        !matches!(self, Self::Email(EmailTarget { role: Role::Contact, .. }))
    }
}

/// A URL that is posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The URL as it was given; it parses as a [`crate::base::outbound::Destination`].
    pub url: String,
    /// The name of the egress policy that says where it may be.
    pub egress: String,
    /// In which order its notifications go out.
    pub ordering: Ordering,
    /// How an event stands in a request.
    pub content_mode: ContentMode,
    /// What its requests are signed with, `v1`: all that are valid at the time.
    pub secrets: Vec<SigningSecret>,
    /// Whether its requests are signed with the appliance's own Ed25519 key too, `v1a`.
    pub asymmetric: bool,
    /// What stands in its requests.
    pub shape: Shape,
    /// What it is called with as HTTP Basic (RFC 7617).
    pub basic: Option<BasicAuth>,
    /// Whether what it does not take is tried again by the schedule; if not, it has one try.
    pub retries: bool,
}

impl WebhookTarget {
    /// A webhook at `url` under the policy `egress`, as the built-in defaults have it, as yet without a secret.
    #[must_use]
    pub fn new(url: &str, egress: &str) -> Self {
        Self {
            url: url.to_owned(),
            egress: egress.to_owned(),
            ordering: Ordering::default(),
            content_mode: ContentMode::default(),
            secrets: Vec::new(),
            asymmetric: false,
            shape: Shape::default(),
            basic: None,
            retries: true,
        }
    }
}

/// What stands in a request: each contract has its own body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The event as a `CloudEvent`.
    #[default]
    CloudEvent,
    /// contracts/registrations.md, "The webhook".
    Registration,
    /// contracts/management.md, "The webhook": with a number that rises by one for each receiver.
    Management,
}

/// A name and a password that go out as HTTP Basic.
#[derive(Clone)]
pub struct BasicAuth {
    /// The name; no colon and no control characters.
    pub username: String,
    /// The password; no control characters.
    pub password: Zeroizing<String>,
}

impl PartialEq for BasicAuth {
    fn eq(&self, other: &Self) -> bool {
        let same: bool = self.password.as_bytes().ct_eq(other.password.as_bytes()).into();
        same && self.username == other.username
    }
}

impl Eq for BasicAuth {}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password: _ } = self;
        write!(f, "BasicAuth({username}, …)")
    }
}

/// In which order the notifications of an endpoint go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ordering {
    /// First tries in order; what has to be tried again does not hold up what comes after it.
    #[default]
    Relaxed,
    /// One in flight; what comes after it waits until it has ended.
    Strict,
}

/// How an event stands in an HTTP request (`CloudEvents` HTTP binding 1.0.2, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentMode {
    /// The whole `CloudEvent` as JSON in the body.
    #[default]
    Structured,
    /// Its data in the body, all else in headers.
    Binary,
}

/// A secret that requests are signed with (Standard Webhooks, symmetric), and when it is valid.
#[derive(Clone)]
pub struct SigningSecret {
    /// The key's bytes, 24 to 64: what stands behind `whsec_`, decoded.
    pub key: Zeroizing<Vec<u8>>,
    /// From when on it signs; `None`: always has.
    pub not_before: Option<Timestamp>,
    /// Until when it signs; `None`: for ever.
    pub not_after: Option<Timestamp>,
}

impl SigningSecret {
    /// The secret as Standard Webhooks writes it: `whsec_` and the key in base64.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(STANDARD.encode(&*self.key));
        Zeroizing::new(format!("whsec_{}", *key))
    }

    /// Whether it signs at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|until| now < until)
    }
}

impl PartialEq for SigningSecret {
    fn eq(&self, other: &Self) -> bool {
        let same: bool = self.key.ct_eq(&other.key).into();
        same && self.not_before == other.not_before && self.not_after == other.not_after
    }
}

impl Eq for SigningSecret {}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _, not_before, not_after } = self;
        write!(f, "SigningSecret(…, {not_before:?}, {not_after:?})")
    }
}

/// One address that is mailed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailTarget {
    /// The address, normalised: its domain is in lower case.
    pub address: String,
    /// What it is mailed.
    pub role: Role,
    /// The template, where it is not that of the event's type.
    pub template: Option<String>,
    /// The language that its mail is in; `None`: the default one.
    pub locale: Option<String>,
}

/// What an address is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The events that its subscription wants.
    Subscriber,
    /// What becomes of the subscription itself: that its webhook is disabled, that a secret of it expires.
    Contact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_shown_to_nobody_and_a_path_to_the_operator_only() {
        let webhook = |url: &str| {
            Target::Webhook(WebhookTarget {
                url: url.to_owned(),
                egress: "plant".to_owned(),
                ordering: Ordering::Relaxed,
                content_mode: ContentMode::Structured,
                secrets: Vec::new(),
                asymmetric: true,
                shape: Shape::CloudEvent,
                basic: None,
                retries: true,
            })
        };
        let target = webhook("https://h.example:8443/hook/T0?token=x");
        assert_eq!(target.shown(), "https://h.example:8443/hook/T0");
        assert_eq!(target.place(), "https://h.example:8443");
        assert_eq!(webhook("http://[::1]:9000").place(), "http://[::1]:9000");
        assert_eq!(Target::Poll.place(), "");
    }
}
