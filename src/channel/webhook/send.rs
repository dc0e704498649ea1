//! The channel itself: one attempt, and what came of it.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, Method};

use super::super::{Channel, Message, Sent, Shared, Verdict};
use super::answer;
use super::request;
use super::retry_after;
use super::settings::{Answers, WebhookPolicy, WebhookSettings};
use super::verdict::judge;
use crate::base::ed25519::SignAll;
use crate::base::outbound::{Answer, Destination, Egress, Outbound, OutboundRequest, SendError, Timings};
use crate::base::rate::Rate;
use crate::base::secret::SecretString;
use crate::model::attempt::{ANSWER_BYTES, Phases};
use crate::model::id::ClientId;
use crate::model::target::{Target, WebhookTarget};

/// How much of a longer answer is read only to be able to use the connection again.
const DRAIN: usize = 64 << 10;

/// Sends webhooks.
pub struct WebhookChannel {
    timeout: Duration,
    final_statuses: BTreeSet<u16>,
    policies: HashMap<String, Way>,
    registration_header: Option<HeaderName>,
    api_keys: HashMap<ClientId, SecretString>,
    keys: Arc<dyn SignAll>,
}

/// What there is of a policy.
struct Way {
    egress: Egress,
    rate: Option<Rate>,
    answers: Answers,
}

impl WebhookChannel {
    /// The channel with these settings; `keys` are the appliance's own.
    #[must_use]
    pub fn new(settings: WebhookSettings, outbound: &Outbound, keys: Arc<dyn SignAll>) -> Self {
        let WebhookSettings {
            timeout,
            connect_timeout,
            final_statuses,
            policies,
            idle_connections,
            api_keys,
            registration_header,
        } = settings;
        let way = |policy: WebhookPolicy| {
            let WebhookPolicy { egress, rate, answers } = policy;
            let name = egress.name.clone();
            (name, Way { egress: outbound.egress(egress, connect_timeout, idle_connections), rate, answers })
        };
        let policies = policies.into_iter().map(way).collect();
        Self { timeout, final_statuses, policies, registration_header, api_keys, keys }
    }

    async fn post(&self, target: &WebhookTarget, message: &Message) -> Sent {
        let Ok(to) = Destination::parse(&target.url) else {
            return refused("the URL of the endpoint is none that can be connected to".to_owned());
        };
        let Some(way) = self.policies.get(&target.egress) else {
            return refused(format!("{}: there is no egress policy \"{}\"", to.origin(), target.egress));
        };
        let api_key = self.api_keys.get(&message.subscription.client_id);
        let extras = request::Extras { shown_in: self.registration_header.as_ref(), api_key };
        let request = request::write(target, message, &*self.keys, &extras);
        let Some((headers, body)) = request else { return unsigned(target) };
        let origin = to.origin();
        match way.egress.send(self.request(to, headers, body)).await {
            Ok(answer) => self.answered(&answer, way.answers, message),
            Err(error) => failed(&origin, &error),
        }
    }

    fn request(&self, to: Destination, headers: HeaderMap, body: Bytes) -> OutboundRequest {
        let (timeout, max_answer) = (self.timeout, ANSWER_BYTES);
        OutboundRequest { method: Method::POST, to, headers, body, timeout, max_answer, drain: DRAIN }
    }

    fn answered(&self, answer: &Answer, answers: Answers, message: &Message) -> Sent {
        let status = answer.status.as_u16();
        // The answer came later than the attempt began, by whole seconds if it took some.
        let taken = [answer.timings.connect, answer.timings.answer].into_iter().flatten().sum::<Duration>();
        let now = message.now.plus(Duration::from_secs(taken.as_secs()));
        let verdict = judge(status, &self.final_statuses, retry_after::read(&answer.headers, now));
        let text = match answers {
            Answers::Kept | Answers::Shown => answer::text(&answer.body, answer.complete),
            Answers::Dropped => String::new(),
        };
        let reason = if status < 600 { format!("status-{status}") } else { "status-other".to_owned() };
        let (detail, phases) = (told(answer), phases(answer.timings));
        Sent { verdict, reason, status: Some(status), detail, answer: text, phases }
    }
}

#[async_trait]
impl Channel for WebhookChannel {
    fn shared(&self, target: &Target) -> Shared {
        let Target::Webhook(target) = target else {
            return Shared { target: target.kind().as_str().to_owned(), rate: None };
        };
        let origin = Destination::parse(&target.url).map_or_else(|_| String::new(), |to| to.origin());
        let rate = self.policies.get(&target.egress).and_then(|way| way.rate);
        let rate = rate.map(|rate| (format!("webhooks {}", target.egress), rate));
        Shared { target: format!("{} {origin}", target.egress), rate }
    }

    fn objection(&self, target: &Target) -> Option<String> {
        let Target::Webhook(target) = target else { return None };
        let to = match Destination::parse(&target.url) {
            Ok(to) => to,
            Err(error) => return Some(error.to_string()),
        };
        let Some(way) = self.policies.get(&target.egress) else {
            return Some(format!("there is no egress policy \"{}\"", target.egress));
        };
        way.egress.policy().could_reach(&to).err().map(|refusal| refusal.to_string())
    }

    fn shows_answers(&self, target: &Target) -> bool {
        let Target::Webhook(target) = target else { return false };
        self.policies.get(&target.egress).is_some_and(|way| way.answers == Answers::Shown)
    }

    async fn send(&self, target: &Target, message: &Message) -> Sent {
        match target {
            Target::Webhook(target) => self.post(target, message).await,
            other => {
                not_sent(Verdict::Unable, "no-webhook", format!("it is no webhook, but {}", other.kind().as_str()))
            }
        }
    }
}

/// What was answered, for people.
fn told(answer: &Answer) -> String {
    let mut text = match answer.from {
        Some(from) => format!("{from} answered {}", answer.status),
        None => format!("answered {}", answer.status),
    };
    if answer.status.is_redirection() {
        text.push_str(": redirects are not followed");
    }
    if let Some(broken) = &answer.broken {
        // Writing to a String cannot fail.
        let _ = write!(text, "; its body has no end: {broken}");
    }
    text
}

fn failed(origin: &str, error: &SendError) -> Sent {
    let SendError { class, detail, timings } = error;
    let verdict = Verdict::Fault { retry_after: None, slow: false };
    Sent { phases: phases(*timings), ..not_sent(verdict, class.as_str(), format!("{origin}: {detail}")) }
}

/// Nothing is allowed that the endpoint asks for; somebody has to change a file.
fn refused(detail: String) -> Sent {
    not_sent(Verdict::Fault { retry_after: None, slow: false }, "egress-refused", detail)
}

fn unsigned(target: &WebhookTarget) -> Sent {
    let detail = match target.secrets.iter().filter_map(|secret| secret.not_after).max() {
        Some(end) => format!(
            "no secret is valid now that it could be signed with; the last ends at {}",
            end.to_rfc3339_seconds()
        ),
        None => "no secret is valid now that it could be signed with".to_owned(),
    };
    not_sent(Verdict::Unable, "no-secret", detail)
}

fn not_sent(verdict: Verdict, reason: &str, detail: String) -> Sent {
    let (answer, phases) = (String::new(), Phases::default());
    Sent { verdict, reason: reason.to_owned(), status: None, detail, answer, phases }
}

const fn phases(timings: Timings) -> Phases {
    let Timings { connect, answer, body } = timings;
    Phases { connect, answer, body }
}
