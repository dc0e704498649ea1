//! One connection to the relay: a message after the other, each with one recipient.

use std::time::Duration;

use mail_send::SmtpClient;
use smtp_proto::{EXT_8BIT_MIME, EXT_SMTP_UTF8, EhloResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::trouble::{Reply, Trouble};
use super::verdict::{Verb, judge};

/// How much longer than to anything else the relay may take to answer to the message itself: a timeout that is too short
/// makes duplicates (RFC 5321, 4.5.3.2.6).
const MESSAGE_PATIENCE: u32 = 10;

/// And how long at most, which is as long as the RFC says.
const MESSAGE_LIMIT: Duration = Duration::from_mins(10);

/// How long a connection that is given up may take to say goodbye.
pub(super) const PARTING: Duration = Duration::from_secs(5);

/// How long a connection that has waited may take to answer: a dead one is not waited for, as there can be a new one.
const REVIVAL: Duration = Duration::from_secs(10);

/// What carries the dialogue: TCP, or TLS on it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Who sends and who gets a message, on its envelope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// Whether an address or a header has UTF-8 in it (RFC 6531).
    pub(super) utf8: bool,
}

/// A connection that is ready for MAIL FROM.
pub(super) struct Session {
    client: SmtpClient<Box<dyn Wire>>,
    offers_utf8: bool,
    offers_8bit: bool,
    /// The largest message that the relay takes in bytes; 0: it does not say.
    max_message: usize,
    /// When it was opened.
    pub(super) opened: Instant,
    /// How many messages went over it.
    pub(super) messages: u32,
    patience: Duration,
}

impl Session {
    pub(super) fn new(client: SmtpClient<Box<dyn Wire>>, offered: &EhloResponse<String>) -> Self {
        Self {
            offers_utf8: offered.has_capability(EXT_SMTP_UTF8),
            offers_8bit: offered.has_capability(EXT_8BIT_MIME),
            max_message: offered.size,
            opened: Instant::now(),
            messages: 0,
            patience: client.timeout,
            client,
        }
    }

    /// Hands over one message, from MAIL FROM to the reply to it.
    pub(super) async fn deliver(&mut self, envelope: Envelope<'_>, message: &[u8]) -> Result<Reply, Trouble> {
        self.check(envelope, message)?;
        self.messages += 1;
        let Envelope { from, to, utf8 } = envelope;
        let body = if utf8 && self.offers_8bit { " BODY=8BITMIME" } else { "" };
        let utf8 = if utf8 { " SMTPUTF8" } else { "" };
        self.say(Verb::MailFrom, &format!("MAIL FROM:<{from}>{body}{utf8}\r\n")).await?;
        self.say(Verb::RcptTo, &format!("RCPT TO:<{to}>\r\n")).await?;
        self.say(Verb::Data, "DATA\r\n").await?;
        self.hand_over(message).await
    }

    /// What is known to fail before anything is said.
    fn check(&self, envelope: Envelope<'_>, message: &[u8]) -> Result<(), Trouble> {
        if envelope.utf8 && !self.offers_utf8 {
            let detail = "the relay does not offer SMTPUTF8, which an address with other than ASCII characters needs";
            return if envelope.from.is_ascii() {
                Err(Trouble::unfit("smtputf8", detail))
            } else {
                Err(Trouble::unable("smtputf8", detail))
            };
        }
        if self.max_message > 0 && message.len() > self.max_message {
            let (length, max) = (message.len(), self.max_message);
            let detail = format!("the message has {length} bytes, and the relay takes at most {max}");
            return Err(Trouble::unfit("too-large", detail));
        }
        Ok(())
    }

    async fn say(&mut self, verb: Verb, line: &str) -> Result<Reply, Trouble> {
        let reply = self.client.cmd(line).await.map_err(|error| Trouble::of(verb, error))?;
        judged(verb, reply.into())
    }

    /// The message with the dots that hide its own, and the reply to it.
    async fn hand_over(&mut self, message: &[u8]) -> Result<Reply, Trouble> {
        // The client writes a line end before the last dot.
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        let sent = async {
            self.client.write_message(message).await.map_err(|error| Trouble::of_io(Verb::Message, &error))?;
            self.client.read().await.map_err(|error| Trouble::of(Verb::Message, error))
        };
        let limit = self.patience.saturating_mul(MESSAGE_PATIENCE).min(MESSAGE_LIMIT);
        let reply = timeout(limit, sent).await.unwrap_or_else(|_| Err(Trouble::of(Verb::Message, TIMED_OUT)))?;
        judged(Verb::Message, reply.into())
    }

    /// Whether the connection is still good; what was begun on it is forgotten.
    pub(super) async fn revive(&mut self) -> bool {
        timeout(REVIVAL, self.client.rset()).await.is_ok_and(|reset| reset.is_ok())
    }

    /// Says goodbye; whatever comes of it changes nothing.
    pub(super) async fn quit(self) {
        let _ = timeout(PARTING, self.client.quit()).await;
    }
}

const TIMED_OUT: mail_send::Error = mail_send::Error::Timeout;

/// The reply, if the dialogue goes on after it.
pub(super) fn judged(verb: Verb, reply: Reply) -> Result<Reply, Trouble> {
    match judge(verb, reply.code, reply.enhanced) {
        None => Ok(reply),
        Some(_) => Err(Trouble { verb, what: super::trouble::What::Reply(reply) }),
    }
}
