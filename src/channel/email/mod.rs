//! Mail: one message for each address, handed to one relay by SMTP (RFC 5321), as often as the engine says.
//!
//! Promises:
//! - Nothing is connected to but the relay that the file names. With `starttls = "required"` or `smtps://` nothing is sent
//!   before TLS has been set up and the relay's certificate verified for its name; there is no way back to plain text.
//! - Every step is bounded in time; what takes too long is a fault, and mail that may have been taken is sent again.
//! - At most so many connections as the settings say, used again for up to a hundred messages, closed when idle.
//! - What the relay says is judged by a table (`verdict`): whether it is about this address or the relay itself.
//! - No event can make a header (`message`), run away in a template, or name a file (`templates`).
//! - The relay's password and the DKIM key are in no text that anybody sees.
//!
//! Parts: `settings`; `templates` make subject and bodies; `message` makes RFC 5322 of them and `dkim` signs it; `connect`
//! makes connections, `session` talks on one, `pool` keeps some; `verdict` and `trouble` say what came of it; `channel`
//! puts them together.
//!
//! Not here: when and how often something is sent, circuits, suppressed addresses, who may be named.

mod channel;
mod connect;
mod dkim;
mod message;
mod pool;
mod session;
mod settings;
mod templates;
mod trouble;
mod verdict;

pub use channel::{EmailChannel, IDLE, SUPPRESS_FOR, reach};
pub use dkim::Dkim;
pub use settings::{EmailSettings, Login, Mailbox, RelayAddress, RelaySettings, Security};
pub use templates::{Finding, Rendered, TemplateFile, Templates, Wanted, is_locale};
pub use verdict::{Verb, judge, judge_silence};
