//! The log: lines on stderr, for journald, for people or as JSON.
//!
//! One line is one event, whatever its fields hold: every control character is escaped before it reaches the stream
//! ([`escaped`]), so that nobody can forge a line or move a terminal's cursor through a header or an id. It reveals
//! nothing:
//! - Secrets have no way in: their types show nothing (`base::secret`), and nobody hands a body, event data, a query or
//!   a header to it. What is left goes through [`masked`], in every form.
//! - Other crates may only warn: what they tell below that at a finer level is about frames and headers.
//! - A panic's words are shown up to the first quote: what stands in quotes there is data.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use parking_lot::RwLock;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::base::legible::escaped;
use crate::base::masking::{Personal, masked, without_data};
use crate::config::{LogFormat, LogSettings};

/// What the log goes by. Each place in the code that tells something is asked about once, and again after a change.
static CURRENT: RwLock<(Level, Personal)> = RwLock::new((Level::INFO, Personal::Mask));

/// Tells as much as `settings` say from now on; the form stays as it is. Without a log it changes nothing.
pub fn replace(settings: LogSettings) {
    let LogSettings { format: _, level, personal } = settings;
    *CURRENT.write() = (level, personal);
    tracing::callsite::rebuild_interest_cache();
}

/// Installs the log for the whole process. A second call changes nothing.
pub fn install(settings: LogSettings) {
    install_on(settings, io::stderr);
    std::panic::set_hook(Box::new(log_panic));
}

/// The same on another stream, without the log of panics: for tests that look at what is logged. Each line is written
/// at once to a new `stream()`.
pub fn install_on<S: Write>(settings: LogSettings, stream: impl Fn() -> S + Clone + Send + Sync + 'static) {
    replace(settings);
    let builder = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).log_internal_errors(false);
    let builder = builder.with_writer(LineStream { stream });
    let ours = filter_fn(is_told);
    // An error says that a log is installed already: the first one stays.
    let _ = match resolve(settings.format) {
        Form::Json => tracing::subscriber::set_global_default(builder.json().flatten_event(true).finish().with(ours)),
        Form::Text => tracing::subscriber::set_global_default(builder.with_target(false).finish().with(ours)),
        Form::Journald => {
            let journald = builder.event_format(Prioritised::default());
            tracing::subscriber::set_global_default(journald.finish().with(ours))
        }
    };
}

fn is_told(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= CURRENT.read().0 && is_ours_or_a_warning(metadata)
}

/// Whether it is told by this crate, or is a warning: what other crates tell of their work may hold what they work on.
fn is_ours_or_a_warning(metadata: &Metadata<'_>) -> bool {
    let ours = env!("CARGO_PKG_NAME");
    let target = metadata.target();
    *metadata.level() <= Level::WARN || target.strip_prefix(ours).is_some_and(|r| r.is_empty() || r.starts_with("::"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Journald,
    Json,
    Text,
}

fn resolve(format: LogFormat) -> Form {
    match format {
        LogFormat::Journald => Form::Journald,
        LogFormat::Json => Form::Json,
        LogFormat::Auto if stderr_is_journal() => Form::Journald,
        LogFormat::Auto | LogFormat::Text => Form::Text,
    }
}

/// Whether stderr is the socket that systemd names in `JOURNAL_STREAM` as `device:inode` (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    if io::stderr().is_terminal() {
        return false;
    }
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// A panic is an error of ours: it goes to the log like any other, in one line.
fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("(no message)");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    tracing::error!(place, "panic: {}", without_data(message));
}

/// Lines as journald reads them from a service's stderr: `<priority>` and the text; journald knows the time.
struct Prioritised(Format<Full, ()>);

impl Default for Prioritised {
    fn default() -> Self {
        Self(Format::default().without_time().with_level(false).with_target(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(out, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, out, event)
    }
}

/// The syslog priority of a level (sd-daemon(3)).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// A stream for whole events: what is written at once is one line.
#[derive(Clone, Debug)]
struct LineStream<F> {
    stream: F,
}

impl<'a, S: Write, F: Fn() -> S + Clone + 'a> MakeWriter<'a> for LineStream<F> {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl<S: Write, F: Fn() -> S> Write for LineStream<F> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(&String::from_utf8_lossy(event), CURRENT.read().1);
        // A log that nobody can read any more (a closed pipe, a full disk) must not stop the service.
        let _ = (self.stream)().write_all(line.as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `event` as one line that reveals nothing.
fn one_line(event: &str, personal: Personal) -> String {
    let mut line = escaped(event.trim_end_matches('\n'));
    if let std::borrow::Cow::Owned(masked) = masked(&line, personal) {
        line = masked;
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let event = "id=a\r\n<0>forged \u{1b}[2J \u{9b}1m\u{202e}x\n";
        assert_eq!(one_line(event, Personal::Mask), "id=a\\u000d\\u000a<0>forged \\u001b[2J \\u009b1m\\u202ex\n");
        assert_eq!(one_line("é 日本 ok\n", Personal::Show), "é 日本 ok\n");
    }

    #[test]
    fn an_event_reveals_nothing() {
        let event = "to=jane@example.com Bearer abcdefghijkl\n";
        assert_eq!(one_line(event, Personal::Mask), "to=j***@example.com Bearer ***\n");
        assert_eq!(one_line(event, Personal::Show), "to=jane@example.com Bearer ***\n");
    }

    #[test]
    fn priorities_are_syslog_s() {
        assert_eq!([Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(priority), [3, 4, 6, 7]);
    }
}
