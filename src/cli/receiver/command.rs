//! The command: its arguments, and how it ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::behaviour::{Behaviour, MAX_DELAY};
use super::keys::Key;
use super::listener;
use super::recorder::{Printing, Recorder};
use crate::base::stop::Stop;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::config::parse_duration;

/// Receive webhooks, verify their signatures and print them, to try things out
///
/// Whatever is posted to any path is printed: id, timestamp, whether a signature is right, type and body. What is not
/// signed with one of the keys is answered 401, all else 204 unless something else is asked for. An egress policy that
/// lets webhooks come here has an entry such as `127.0.0.1/32:9000`. SIGINT and SIGTERM end it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(in crate::cli) struct Receiver {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// A secret that signatures may be made with; may be repeated. Others on this machine can see it
    #[arg(long = "secret", value_name = "whsec_…")]
    secrets: Vec<String>,
    /// A file with such a secret; may be repeated
    #[arg(long = "secret-file", value_name = "FILE")]
    secret_files: Vec<PathBuf>,
    /// A public key that signatures may be made for; may be repeated
    #[arg(long = "public-key", value_name = "whpk_…")]
    public_keys: Vec<String>,
    /// Answer with this status
    #[arg(long, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: Option<u16>,
    /// Answer only after this time, such as 2s
    #[arg(long, value_name = "DURATION", value_parser = delay)]
    delay: Option<Duration>,
    /// Hang up instead of an answer
    #[arg(long, conflicts_with_all = ["status", "slow_body"])]
    hang_up: bool,
    /// Answer with a body of which a byte comes each second, for an hour
    #[arg(long)]
    slow_body: bool,
    /// Misbehave at the first N only; without one of the above, answer these 503
    #[arg(long, value_name = "N")]
    fail_first: Option<u64>,
    /// Print a line of JSON for each
    #[arg(long)]
    json: bool,
    /// End after so many: 0 if all were signed with one of the keys or there are none, else 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print nothing of what arrives
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = parse_duration(text).ok_or("write a duration such as 500ms, 2s or 1m30s")?;
    if delay <= MAX_DELAY { Ok(delay) } else { Err(format!("{} minutes are the most", MAX_DELAY.as_secs() / 60)) }
}

/// Runs the command.
pub(in crate::cli) async fn run(arguments: &Receiver) -> Result<Exit, Failure> {
    let recorder = Arc::new(Recorder::new(arguments.keys()?, arguments.printing(), arguments.count));
    let stop = Stop::new();
    let signals = stop_at_signals(&stop)?;
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Unreachable,
            format!("cannot listen on {}: {error}; give another one with --listen", arguments.listen),
        )
    };
    let listener = TcpListener::bind(arguments.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    output::remark(&format!("listening on http://{address}/"));
    listener::serve(listener, Arc::clone(&recorder), arguments.behaviour(), stop).await;
    signals.abort();
    recorder.end()
}

impl Receiver {
    fn keys(&self) -> Result<Vec<Key>, Failure> {
        let secrets = self.secrets.iter().map(|text| Key::secret(text));
        let files = self.secret_files.iter().map(|file| Key::secret_of_file(file));
        secrets.chain(files).chain(self.public_keys.iter().map(|text| Key::public(text))).collect()
    }

    fn printing(&self) -> Printing {
        match (self.quiet, self.json) {
            (true, _) => Printing::Nothing,
            (false, true) => Printing::Json,
            (false, false) => Printing::Text,
        }
    }

    fn behaviour(&self) -> Behaviour {
        let Self { status, delay, hang_up, slow_body, fail_first, .. } = self;
        Behaviour { status: *status, delay: *delay, hang_up: *hang_up, slow_body: *slow_body, fail_first: *fail_first }
    }
}

/// Gives the stop at the first signal that asks for it.
fn stop_at_signals(stop: &Stop) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let cannot = |error| Failure::new(Exit::Io, format!("cannot listen to signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let stop = stop.clone();
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.stop();
    }))
}
