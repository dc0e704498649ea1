//! The log: lines on stderr, for journald, for people or as JSON.
//!
//! One line is one event, whatever its fields hold: every control character is escaped before it reaches the stream,
//! so that nobody can forge a line or move a terminal's cursor through a header or an id. Secrets have no way in:
//! their types show nothing (`base::secret`).

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogFormat, LogSettings};

/// Installs the log for the whole process. A second call changes nothing.
pub fn install(settings: LogSettings) {
    let builder = tracing_subscriber::fmt().with_max_level(settings.level).with_ansi(false).log_internal_errors(false);
    let builder = builder.with_writer(EscapingStderr);
    // An error says that a log is installed already: the first one stays.
    let _ = match resolve(settings.format) {
        Form::Json => tracing::subscriber::set_global_default(builder.json().flatten_event(true).finish()),
        Form::Text => tracing::subscriber::set_global_default(builder.with_target(false).finish()),
        Form::Journald => {
            tracing::subscriber::set_global_default(builder.event_format(Prioritised::default()).finish())
        }
    };
    std::panic::set_hook(Box::new(log_panic));
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
    tracing::error!(place, "panic: {message}");
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

/// stderr, for whole events: what is written at once is one line.
#[derive(Clone, Copy, Debug)]
struct EscapingStderr;

impl<'a> MakeWriter<'a> for EscapingStderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        *self
    }
}

impl Write for EscapingStderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // A log that nobody can read any more (a closed pipe, a full disk) must not stop the service.
        let _ = io::stderr().write_all(one_line(&String::from_utf8_lossy(event)).as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `event` as one line: what could end it, move a cursor or turn the reading direction is shown as `\uXXXX`, which
/// is legal inside JSON strings too, the only place where JSON could hold it.
fn one_line(event: &str) -> String {
    let text = event.trim_end_matches('\n');
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        assert_eq!(one_line("id=a\r\n<0>forged \u{1b}[2J \u{9b}1m\u{202e}x\n"), {
            "id=a\\u000d\\u000a<0>forged \\u001b[2J \\u009b1m\\u202ex\n"
        });
        assert_eq!(one_line("é 日本 ok\n"), "é 日本 ok\n");
        let json: serde_json::Value = serde_json::from_str(&one_line("{\"a\":\"x\u{7f}\"}\n")).unwrap();
        assert_eq!(json["a"], "x\u{7f}");
    }

    #[test]
    fn priorities_are_syslog_s() {
        assert_eq!([Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(priority), [3, 4, 6, 7]);
    }
}
