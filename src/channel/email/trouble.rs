//! Why a message was not taken, and how that is told.

use std::io;

use mail_send::Error;

use super::verdict::{Verb, judge, judge_silence};
use crate::base::legible::{cut, escaped};
use crate::channel::Verdict;

/// The most characters of a reply in a sentence.
const SHOWN_REPLY: usize = 300;

/// What the relay said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// All zero: none.
    pub(super) enhanced: [u8; 3],
    pub(super) text: String,
}

impl From<smtp_proto::Response<String>> for Reply {
    fn from(response: smtp_proto::Response<String>) -> Self {
        Self { code: response.code, enhanced: response.esc, text: response.message }
    }
}

impl Reply {
    /// As it stands in one line, with nothing in it that could end the line.
    pub(super) fn shown(&self) -> String {
        let [class, subject, detail] = self.enhanced;
        let enhanced = if class == 0 { String::new() } else { format!(" {class}.{subject}.{detail}") };
        format!("{}{enhanced} {}", self.code, escaped(cut(self.text.trim(), SHOWN_REPLY).as_ref()))
    }
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) verb: Verb,
    pub(super) what: What,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The relay said something else than what would go on.
    Reply(Reply),
    /// It hung up, or said something that is no reply.
    Closed,
    /// It took too long.
    TimedOut,
    /// Connecting, TLS, or what the relay offers.
    Failed {
        /// For metrics.
        class: &'static str,
        /// For people.
        detail: String,
    },
    /// It was not tried, for what is known already.
    Untried {
        /// For metrics.
        class: &'static str,
        /// For people.
        detail: String,
        /// What that means.
        verdict: Verdict,
    },
}

impl Trouble {
    pub(super) fn failed(verb: Verb, class: &'static str, detail: impl Into<String>) -> Self {
        Self { verb, what: What::Failed { class, detail: detail.into() } }
    }

    /// Without it being tried: this message cannot go to this address by this relay.
    pub(super) fn unfit(class: &'static str, detail: impl Into<String>) -> Self {
        Self::untried(class, detail, Verdict::Rejected { suppress: false })
    }

    /// Without it being tried: no message can go by this relay.
    pub(super) fn unable(class: &'static str, detail: impl Into<String>) -> Self {
        Self::untried(class, detail, Verdict::Down)
    }

    fn untried(class: &'static str, detail: impl Into<String>, verdict: Verdict) -> Self {
        Self { verb: Verb::MailFrom, what: What::Untried { class, detail: detail.into(), verdict } }
    }

    /// What `error` means at `verb`.
    pub(super) fn of(verb: Verb, error: Error) -> Self {
        let what = match error {
            Error::UnexpectedReply(reply) | Error::AuthenticationFailed(reply) => What::Reply(reply.into()),
            Error::Timeout => What::TimedOut,
            Error::UnparseableReply => What::Closed,
            Error::Io(error) => return Self::of_io(verb, &error),
            Error::Tls(error) => What::Failed { class: "tls", detail: error.to_string() },
            other => What::Failed { class: "protocol", detail: other.to_string() },
        };
        Self { verb, what }
    }

    /// What `error` means at `verb`.
    pub(super) fn of_io(verb: Verb, error: &io::Error) -> Self {
        let what = match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
                if verb != Verb::Connect =>
            {
                What::Closed
            }
            io::ErrorKind::TimedOut => What::TimedOut,
            io::ErrorKind::ConnectionRefused => What::Failed { class: "connect-refused", detail: error.to_string() },
            _ => What::Failed { class: "io", detail: error.to_string() },
        };
        Self { verb, what }
    }

    /// What it means for the message and its endpoint.
    pub(super) fn verdict(&self) -> Verdict {
        let verdict = match &self.what {
            What::Reply(reply) => judge(self.verb, reply.code, reply.enhanced),
            What::Untried { verdict, .. } => Some(*verdict),
            What::Closed | What::TimedOut | What::Failed { .. } => judge_silence(self.verb),
        };
        // Trouble that means nothing is not made.
        verdict.unwrap_or(Verdict::Down)
    }

    /// Its class, of a bounded number.
    pub(super) fn reason(&self) -> String {
        let verb = self.verb.as_str();
        match &self.what {
            What::Reply(reply) if (200..600).contains(&reply.code) => format!("{verb}-{}", reply.code),
            What::Reply(_) => format!("{verb}-unexpected"),
            What::Closed => format!("{verb}-closed"),
            What::TimedOut => format!("{verb}-timeout"),
            What::Failed { class, .. } | What::Untried { class, .. } => (*class).to_owned(),
        }
    }

    /// The sentence about it, of the relay with this name.
    pub(super) fn detail(&self, relay: &str) -> String {
        let verb = self.verb.shown();
        match &self.what {
            What::Reply(reply) => format!("the relay {relay} answered to {verb}: {}", reply.shown()),
            What::Closed if self.verb == Verb::Message => {
                format!("the relay {relay} hung up after the message: it may have taken it, and gets it again")
            }
            What::Closed => format!("the relay {relay} hung up at {verb}, or sent what is no reply"),
            What::TimedOut => format!("the relay {relay} took too long for {verb}"),
            What::Failed { detail, .. } if self.verb == Verb::Connect => {
                format!("there is no connection to the relay {relay}: {}", escaped(detail))
            }
            What::Failed { detail, .. } => format!("the relay {relay} failed at {verb}: {}", escaped(detail)),
            What::Untried { detail, .. } => escaped(detail),
        }
    }

    /// What the relay said.
    pub(super) const fn reply(&self) -> Option<&Reply> {
        match &self.what {
            What::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// Whether the connection can be used again.
    pub(super) fn leaves_the_connection(&self) -> bool {
        match &self.what {
            What::Reply(reply) => self.verb >= Verb::RcptTo && reply.code != 421,
            What::Untried { .. } => true,
            What::Closed | What::TimedOut | What::Failed { .. } => false,
        }
    }
}
