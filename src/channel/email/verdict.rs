//! What a reply of the relay means, or that there was none: a table, and nothing but a table.
//!
//! Up to MAIL FROM nothing has been said of the message: whatever goes wrong there is the relay's fault, so that it counts
//! against no message. From RCPT TO on, a reply is about this address and this message, unless it says that it is not:
//!
//! | reply to RCPT TO, DATA and the message | meaning |
//! | --- | --- |
//! | 4yz, no reply, or no reply of SMTP | a fault, tried again; 421 and 4.3.x slow all that goes to the relay |
//! | 5yz 5.1.x (address), 5.2.x (mailbox), 5.4.x (routing), 5.6.x (content) | refused; 5.1.1 (no such mailbox) is suppressed |
//! | 5yz 5.3.x (mail system), 5.7.x (security or policy) | the relay's fault |
//! | 500, 502, 503, 504, 521, 530, 534, 535, 538 otherwise | the relay's fault: it does not speak with us |
//! | 5yz otherwise, 550 without an enhanced code too | refused: RFC 5321 (4.2.3) says them of the address or the message |
//!
//! Classes of enhanced codes are those of RFC 3463. One that contradicts the reply's first digit is not believed.
//!
//! A connection that ends after the message's last dot leaves open whether it was taken: it is sent again, for mail is
//! sent at least once. Nothing that happens at QUIT changes what was taken before.

use crate::channel::Verdict;

/// Where in the dialogue something was said or went wrong; in the order of the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Finding the relay and connecting to it.
    Connect,
    /// Its first words.
    Banner,
    /// EHLO
    Ehlo,
    /// STARTTLS
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// AUTH, with all that belongs to it.
    Auth,
    /// MAIL FROM
    MailFrom,
    /// RCPT TO
    RcptTo,
    /// DATA
    Data,
    /// The message, after its last dot.
    Message,
    /// QUIT
    Quit,
}

impl Verb {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Connect,
        Self::Banner,
        Self::Ehlo,
        Self::StartTls,
        Self::Handshake,
        Self::Auth,
        Self::MailFrom,
        Self::RcptTo,
        Self::Data,
        Self::Message,
        Self::Quit,
    ];

    /// The name in reasons.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Handshake => "tls",
            Self::Auth => "auth",
            Self::MailFrom => "mail",
            Self::RcptTo => "rcpt",
            Self::Data => "data",
            Self::Message => "message",
            Self::Quit => "quit",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Connect => "the connection",
            Self::Banner => "the connection (its greeting)",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "the TLS handshake",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::RcptTo => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the message",
            Self::Quit => "QUIT",
        }
    }
}

/// A fault that slows nobody else.
const FAULT: Verdict = Verdict::Fault { retry_after: None, slow: false };

/// What the reply `code` with the enhanced code `enhanced` (all zero: none) to `verb` means; `None`: go on.
#[must_use]
pub fn judge(verb: Verb, code: u16, enhanced: [u8; 3]) -> Option<Verdict> {
    let is_expected = if verb == Verb::Data { code == 354 } else { (200..300).contains(&code) };
    if is_expected || verb == Verb::Quit {
        return None;
    }
    if verb < Verb::RcptTo {
        return Some(Verdict::Down);
    }
    let [class, subject, detail] = enhanced;
    let status = (u16::from(class) == code / 100).then_some((subject, detail));
    Some(match code / 100 {
        4 => Verdict::Fault { retry_after: None, slow: code == 421 || status.is_some_and(|(subject, _)| subject == 3) },
        5 => judge_permanent(code, status),
        _ => FAULT,
    })
}

fn judge_permanent(code: u16, status: Option<(u8, u8)>) -> Verdict {
    match (status, code) {
        (Some((1, detail)), _) => Verdict::Rejected { suppress: detail == 1 },
        (Some((2 | 4 | 6, _)), _) => Verdict::Rejected { suppress: false },
        (Some((3 | 7, _)), _) | (_, 500 | 502..=504 | 521 | 530 | 534 | 535 | 538) => Verdict::Down,
        _ => Verdict::Rejected { suppress: false },
    }
}

/// What it means that there was no reply to `verb`: the connection could not be made, broke or took too long.
#[must_use]
pub fn judge_silence(verb: Verb) -> Option<Verdict> {
    match verb {
        Verb::Quit => None,
        Verb::RcptTo | Verb::Data | Verb::Message => Some(FAULT),
        _ => Some(Verdict::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Option<Verdict> = Some(Verdict::Down);
    const REFUSED: Option<Verdict> = Some(Verdict::Rejected { suppress: false });
    const UNKNOWN: Option<Verdict> = Some(Verdict::Rejected { suppress: true });
    const SLOW: Option<Verdict> = Some(Verdict::Fault { retry_after: None, slow: true });

    /// Replies of every class, and what they mean before RCPT TO, to RCPT TO, to DATA, after the message.
    #[rustfmt::skip]
    const TABLE: [(u16, [u8; 3], [Option<Verdict>; 4]); 47] = [
        (100, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (220, [0, 0, 0], [None, None, Some(FAULT), None]),
        (250, [2, 1, 5], [None, None, Some(FAULT), None]),
        (251, [0, 0, 0], [None, None, Some(FAULT), None]),
        (300, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (334, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (354, [0, 0, 0], [DOWN, Some(FAULT), None, Some(FAULT)]),
        (421, [0, 0, 0], [DOWN, SLOW, SLOW, SLOW]),
        (421, [4, 3, 2], [DOWN, SLOW, SLOW, SLOW]),
        (450, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (450, [4, 2, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (451, [4, 7, 1], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (451, [4, 3, 0], [DOWN, SLOW, SLOW, SLOW]),
        (452, [4, 2, 2], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (452, [5, 1, 1], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (454, [4, 7, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (499, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
        (500, [0, 0, 0], [DOWN, DOWN, DOWN, DOWN]),
        (501, [0, 0, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (501, [5, 1, 3], [DOWN, REFUSED, REFUSED, REFUSED]),
        (502, [5, 5, 1], [DOWN, DOWN, DOWN, DOWN]),
        (503, [5, 5, 1], [DOWN, DOWN, DOWN, DOWN]),
        (504, [0, 0, 0], [DOWN, DOWN, DOWN, DOWN]),
        (521, [0, 0, 0], [DOWN, DOWN, DOWN, DOWN]),
        (530, [5, 7, 0], [DOWN, DOWN, DOWN, DOWN]),
        (530, [0, 0, 0], [DOWN, DOWN, DOWN, DOWN]),
        (534, [0, 0, 0], [DOWN, DOWN, DOWN, DOWN]),
        (535, [5, 7, 8], [DOWN, DOWN, DOWN, DOWN]),
        (550, [0, 0, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 0, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 1, 1], [DOWN, UNKNOWN, UNKNOWN, UNKNOWN]),
        (550, [5, 1, 2], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 1, 10], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 2, 1], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 3, 0], [DOWN, DOWN, DOWN, DOWN]),
        (550, [5, 4, 1], [DOWN, REFUSED, REFUSED, REFUSED]),
        (550, [5, 7, 1], [DOWN, DOWN, DOWN, DOWN]),
        (550, [4, 7, 1], [DOWN, REFUSED, REFUSED, REFUSED]),
        (551, [0, 0, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (552, [5, 2, 2], [DOWN, REFUSED, REFUSED, REFUSED]),
        (552, [5, 3, 4], [DOWN, DOWN, DOWN, DOWN]),
        (553, [5, 1, 3], [DOWN, REFUSED, REFUSED, REFUSED]),
        (554, [0, 0, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (554, [5, 5, 1], [DOWN, REFUSED, REFUSED, REFUSED]),
        (554, [5, 6, 0], [DOWN, REFUSED, REFUSED, REFUSED]),
        (556, [5, 1, 10], [DOWN, REFUSED, REFUSED, REFUSED]),
        (600, [0, 0, 0], [DOWN, Some(FAULT), Some(FAULT), Some(FAULT)]),
    ];

    #[test]
    fn every_class_of_reply_has_a_meaning_at_every_verb() {
        for (code, enhanced, [early, rcpt, data, message]) in TABLE {
            for verb in Verb::ALL {
                let expected = match verb {
                    Verb::RcptTo => rcpt,
                    Verb::Data => data,
                    Verb::Message => message,
                    Verb::Quit => None,
                    _ => early,
                };
                assert_eq!(judge(verb, code, enhanced), expected, "{code} {enhanced:?} to {verb:?}");
            }
        }
    }

    #[test]
    fn silence_is_the_relay_s_fault_until_the_address_was_named() {
        for verb in Verb::ALL {
            let expected = match verb {
                Verb::RcptTo | Verb::Data | Verb::Message => Some(FAULT),
                Verb::Quit => None,
                _ => DOWN,
            };
            assert_eq!(judge_silence(verb), expected, "{verb:?}");
        }
    }

    #[test]
    fn every_code_that_a_relay_can_send_has_a_verdict_and_only_success_goes_on() {
        for verb in Verb::ALL.into_iter().filter(|verb| *verb != Verb::Quit) {
            for code in 0..=u16::from(u8::MAX) * 4 {
                for subject in 0..=9 {
                    let class = u8::try_from(code / 100 % 10).unwrap();
                    let verdict = judge(verb, code, [class, subject, 1]);
                    let success = if verb == Verb::Data { code == 354 } else { code / 100 == 2 };
                    assert_eq!(verdict.is_none(), success, "{code} to {verb:?}");
                    let rejected = matches!(verdict, Some(Verdict::Rejected { .. }));
                    assert!(!rejected || code / 100 == 5 && verb >= Verb::RcptTo, "{code} to {verb:?}");
                }
            }
        }
    }

    #[test]
    fn only_a_mailbox_that_does_not_exist_is_suppressed() {
        for code in 500..600 {
            for subject in 0..=9 {
                for detail in 0..=20 {
                    let suppressed = judge(Verb::RcptTo, code, [5, subject, detail]) == UNKNOWN;
                    assert_eq!(suppressed, (subject, detail) == (1, 1), "{code} 5.{subject}.{detail}");
                }
            }
        }
    }
}
