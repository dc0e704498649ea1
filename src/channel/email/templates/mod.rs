//! What mail says: minijinja templates by name and language, and built-in ones that render any event.
//!
//! Templates are the files of one folder, read when the configuration is: `{name}.{locale}.{subject,txt,html}`, or without
//! a locale `{name}.{subject,txt,html}`. Nothing is opened when mail is sent; a name is looked up among those that were
//! listed, so that no event can name a file.
//!
//! **Which one.** The names are, in this order, the endpoint's `template`, the event's type, and `default` (of the
//! appliance's own types, `tidings.*`, instead of that `tidings`); for each of them the endpoint's locale, shortened part by
//! part (`fr-CA`, `fr`), then `email.default_locale` likewise, then none. The first that has any part is taken, and no
//! other besides. What it lacks is made: the HTML of its text, its text and its subject by the built-in template. A file whose name begins with `_` is only there for others to include or extend.
//!
//! **What they know.** Of the event: `type`, `type_name` (its name in `[[event_types]]`, else its type), `source`,
//! `subject`, `id` (the producer's, else ours), `time` (when it happened, else was accepted) and `accepted`, both as people
//! read them, in `events.time_zone`, `time_rfc3339`, `dataschema`, `extensions`, `data`, and `fields`, which is the data
//! laid flat: a list of `name` and `value` of at most 200, with `more_fields` saying how many were left out. Of ours:
//! `event_id`, `notification_id`, `subscription`, `address`, `locale`. What an event does not have is none, and prints as
//! nothing. Numbers of `data` print as they were written. The filter `localtime` shows an RFC 3339 instant of the data as
//! `time` is shown.
//!
//! **Promises.** HTML is escaped, by the file's name. What is undefined cannot be printed: asking whether it is there
//! (`{% if data.x %}`, `is defined`, `|default(…)`) is fine. A template takes bounded work and makes bounded output. One
//! that fails for an event fails it not: the built-in one is taken instead, and the attempt's record says why.
//!
//! **`tidings check`** renders each of them ([`Templates::inspect`]) with `{name}.sample.json` as its data. Without a
//! sample every member of `data` is taken to be there; what cannot be judged then, such as arithmetic, is a warning.
//!
//! Not here: reading files.

mod built_in;
mod context;
mod environment;
mod inspect;
mod json;
mod locale;
mod parts;
mod set;
mod stand_in;

pub use context::Wanted;
pub use inspect::Finding;
pub use locale::is_locale;
pub use parts::TemplateFile;
pub use set::{Rendered, Templates};
