//! The channel: from a notification to what came of mailing it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::connect::Connector;
use super::message::Letter;
use super::pool::Pool;
use super::session::Envelope;
use super::settings::{EmailSettings, RelaySettings};
use super::templates::{Rendered, Wanted};
use super::trouble::{Reply, Trouble};
use crate::base::legible::{cut, escaped};
use crate::base::outbound::Outbound;
use crate::channel::{Channel, Message, Sent, Shared, Verdict};
use crate::model::address::Address;
use crate::model::attempt::{ANSWER_BYTES, Phases};
use crate::model::target::{EmailTarget, Target};

/// Opens a connection to a relay as mail would go over it, with TLS and login, and closes it: nothing is sent. The error is
/// for people. Where TLS is used, the system's store of authorities is read, which blocks for some milliseconds.
pub async fn reach(relay: &RelaySettings, outbound: &Outbound) -> Result<(), String> {
    let session = Connector::new(relay.clone(), outbound).connect().await;
    let session = session.map_err(|trouble| trouble.detail(&relay.address.to_string()))?;
    session.quit().await;
    Ok(())
}

/// Sends mail by one relay.
pub struct EmailChannel {
    settings: EmailSettings,
    pool: Arc<Pool>,
    /// How people know the relay.
    relay: String,
}

/// A message that is ready to be handed over.
struct Ready {
    from: String,
    to: String,
    utf8: bool,
    bytes: Vec<u8>,
    /// Why the built-in template was taken instead of the one that there is.
    fallback: Option<String>,
}

impl EmailChannel {
    /// A channel that connects to the relay of `settings` when there is something to send. Where it uses TLS, the system's
    /// store of authorities is read here, which blocks for some milliseconds.
    #[must_use]
    pub fn new(settings: EmailSettings, outbound: &Outbound) -> Self {
        let connector = Connector::new(settings.relay.clone(), outbound);
        let pool = Pool::new(connector, &settings.relay);
        let relay = settings.relay.address.to_string();
        Self { settings, pool, relay }
    }

    async fn mail(&self, target: &EmailTarget, message: &Message) -> Sent {
        let mut phases = Phases::default();
        let ready = self.prepare(target, message);
        let outcome = match &ready {
            Ok(ready) => self.hand_over(ready, &mut phases).await,
            Err(trouble) => Err(trouble.clone()),
        };
        let fallback = ready.ok().and_then(|ready| ready.fallback);
        match outcome {
            Ok(reply) => delivered(&reply, fallback, phases),
            Err(trouble) => self.failed(&trouble, phases),
        }
    }

    /// Renders, composes and signs.
    fn prepare(&self, target: &EmailTarget, message: &Message) -> Result<Ready, Trouble> {
        let EmailSettings { from, envelope_from, list_unsubscribe, dkim, .. } = &self.settings;
        let to = Address::parse(&target.address);
        let to = to.ok_or_else(|| Trouble::unfit("address", "the address cannot be mailed to"))?;
        let content = self.render(target, message);
        let (id, now, trace) = (message.id, message.now, message.event.draft.trace.as_ref());
        let letter = Letter { from, to: &to, list_unsubscribe, id, now, trace, content: &content };
        let utf8 = letter.needs_smtputf8() || envelope_from.needs_smtputf8();
        let bytes = letter.compose();
        let bytes = match dkim {
            Some(dkim) => {
                dkim.sign(&bytes).map_err(|error| Trouble::unable("dkim", format!("it cannot be signed: {error}")))?
            }
            None => bytes,
        };
        let (from, to) = (envelope_from.as_str().to_owned(), to.as_str().to_owned());
        Ok(Ready { from, to, utf8, bytes, fallback: content.fallback })
    }

    fn render(&self, target: &EmailTarget, message: &Message) -> Rendered {
        let EmailSettings { templates, default_locale, type_names, .. } = &self.settings;
        templates.render(&Wanted {
            template: target.template.as_deref(),
            locale: target.locale.as_deref(),
            default_locale,
            address: &target.address,
            type_name: type_names.get(&message.event.draft.event_type).map(String::as_str),
            message,
        })
    }

    async fn hand_over(&self, ready: &Ready, phases: &mut Phases) -> Result<Reply, Trouble> {
        let mut lease = self.pool.take().await?;
        phases.connect = lease.connecting;
        let begun = Instant::now();
        let envelope = Envelope { from: &ready.from, to: &ready.to, utf8: ready.utf8 };
        let outcome = lease.session.deliver(envelope, &ready.bytes).await;
        phases.answer = Some(begun.elapsed());
        match &outcome {
            Err(trouble) if !trouble.leaves_the_connection() => Pool::dismiss(lease),
            _ => self.pool.put_back(lease),
        }
        outcome
    }

    fn failed(&self, trouble: &Trouble, phases: Phases) -> Sent {
        let reply = trouble.reply();
        Sent {
            verdict: trouble.verdict(),
            reason: trouble.reason(),
            status: reply.map(|reply| reply.code),
            detail: trouble.detail(&self.relay),
            answer: reply.map(answer).unwrap_or_default(),
            phases,
        }
    }
}

fn delivered(reply: &Reply, fallback: Option<String>, phases: Phases) -> Sent {
    let fallback = fallback.map(|why| format!("; it was made of the built-in template, for {}", escaped(&why)));
    Sent {
        verdict: Verdict::Delivered,
        reason: "delivered".to_owned(),
        status: Some(reply.code),
        detail: format!("the relay took it: {}{}", reply.shown(), fallback.unwrap_or_default()),
        answer: answer(reply),
        phases,
    }
}

/// The reply's text, of at most [`ANSWER_BYTES`].
fn answer(reply: &Reply) -> String {
    let mut text = escaped(&cut(&reply.text, ANSWER_BYTES));
    let end = (0..=ANSWER_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    text
}

#[async_trait]
impl Channel for EmailChannel {
    fn shared(&self, _: &Target) -> Shared {
        let rate = self.settings.rate.map(|rate| ("email".to_owned(), rate));
        Shared { target: format!("smtp:{}", self.relay), rate }
    }

    fn objection(&self, target: &Target) -> Option<String> {
        let Target::Email(target) = target else { return None };
        let Some(address) = Address::parse(&target.address) else {
            return Some("must be an e-mail address such as ops@example.com".to_owned());
        };
        self.settings.allowed_recipients.check(&address).err().map(|refusal| refusal.to_string())
    }

    async fn send(&self, target: &Target, message: &Message) -> Sent {
        match target {
            Target::Email(target) => self.mail(target, message).await,
            // The engine hands a channel its own targets only.
            Target::Poll | Target::Webhook(_) => {
                let trouble = Trouble::unfit("no-address", "it is no address that could be mailed to");
                self.failed(&trouble, Phases::default())
            }
        }
    }
}

/// How long a connection waits for its next message: relays close idle ones after some minutes.
pub const IDLE: Duration = Duration::from_secs(30);

/// How long an address is left alone after a relay has said that it does not exist, where the files do not say.
pub const SUPPRESS_FOR: Duration = Duration::from_hours(30 * 24);
