//! Commands of an upstream system while mail cannot be sent: their answers, and what their repeats send.

use std::io::{self, Write as _};
use std::time::Duration;

use tidings::base::secret::SecretHash;

use crate::load::{Load, Source};
use crate::options::Options;
use crate::process::connection::request;
use crate::process::site::{CLIENT, Declared};
use crate::report::{Demand, Line, Report, median, millis};
use crate::requests::id;
use crate::sink::Sink;
use crate::stage::{CONNECTIONS, Stage};

/// Mails that wait until they are tried again: of each event one for each address.
const BACKLOG: u64 = 20_000;
/// Addresses of an event of the backlog.
const ADDRESSES: u64 = 20;
/// Nobody listens there: each attempt of a mail fails at once.
const DEAD_RELAY: &str = "smtp://127.0.0.1:1";
/// How long the first attempts and the last webhooks may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long an answer may take at most, in milliseconds (contracts/trigger.md, "Answer").
const LIMIT: f64 = 300.0;
/// How often one command is sent: once, and repeated as often as upstream systems do, less one (contracts/trigger.md,
/// "Repeats").
const SENT: usize = 5;
const KEY: &str = "tdg_aaaaaaaa_known-to-everybody-on-this-machine";
/// Digits of the number that makes a command another one.
const DIGITS: usize = 16;

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    /// Milliseconds from a command to its answer.
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// How often a command came that was sent several times.
    told: Vec<f64>,
}

impl Triggers {
    /// One round.
    pub(crate) fn round(&mut self, options: &Options) -> io::Result<()> {
        let sink = Sink::start()?;
        let mut stage = Stage::set(&options.dir, declared(&sink))?;
        stage.fill("backlog", BACKLOG / ADDRESSES)?;
        await_failures(&stage)?;
        let load = Load { status: 200, ..stage.load(CONNECTIONS, options.measured()) };
        let served = load.run(&mut Commands::new("mailed"))?;
        self.p50.push(millis(served.latency(0.5)));
        self.p99.push(millis(served.latency(0.99)));
        self.told.push(repeat(&mut stage, &sink)?);
        Ok(())
    }

    /// Adds the lines.
    pub(crate) fn report(&self, report: &mut Report) {
        report.note("commands with a dead relay, p50", format!("{:.2} ms", median(&self.p50)), median(&self.p50));
        let (figure, measured) = (format!("commands with a dead relay and {BACKLOG} mails, p99"), median(&self.p99));
        let value = format!("{measured:.2} ms");
        report.add(Line { figure, value, scale: "ms", measured, demand: Demand::AtMost(LIMIT) });
        let measured = self.told.iter().copied().fold(0.0, f64::max);
        let (figure, value) = (format!("a command sent {SENT} times is told"), format!("{measured:.0} times"));
        report.add(Line { figure, value, scale: "times", measured, demand: Demand::AtMost(1.0) });
    }
}

/// The upstream's key, a customer of each channel, those who wait for mail, and the relay.
fn declared(sink: &Sink) -> Declared {
    let addresses: Vec<_> = (0..ADDRESSES).map(|n| format!("reader-{n}@example.com")).collect();
    let further = format!(
        "[api.trigger]\nenabled = true\n\
         [[api_keys]]\nid = \"upstream\"\nhash = \"sha256:aaaaaaaa:{}\"\nscopes = [\"trigger\"]\n\
         [email]\nfrom = \"bench@example.com\"\nrelay = \"{DEAD_RELAY}\"\n\
         [[subscriptions]]\nid = \"backlog\"\nclient_id = \"{CLIENT}\"\nevent_types = [\"backlog\"]\n\
         email = {{ to = {addresses:?} }}\n\
         [[webhooks.egress]]\nname = \"sink\"\nallow = [\"127.0.0.1/32:{}\"]\n\
         [[customers]]\nid = \"mailed\"\nkeys = {{ customerId = \"mailed\" }}\nchannels = [\"email\"]\n\
         email = \"mailed@example.com\"\n\
         [[customers]]\nid = \"called\"\nkeys = {{ customerId = \"called\" }}\nchannels = [\"webhook\"]\n\
         webhook = {{ url = \"http://{}/\", egress = \"sink\", asymmetric = true }}\n",
        SecretHash::of(KEY.as_bytes()).to_hex(),
        sink.address.port(),
        sink.address
    );
    Declared { further, ..Declared::default() }
}

/// Waits until all mails are stored and the relay has failed: they wait for the next attempt.
fn await_failures(stage: &Stage) -> io::Result<()> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let metrics = stage.appliance.metrics()?;
        let mails = |name: &str, labels: &[(&str, &str)]| metrics.sum(name, labels);
        let created = mails("tidings_notifications_created_total", &[("kind", "email")])?;
        // There is no such series before the first attempt.
        let tried = mails("tidings_delivery_attempts_total", &[("kind", "email"), ("outcome", "fault")]).unwrap_or(0);
        if created >= BACKLOG && tried > 0 {
            return Ok(());
        }
        if std::time::Instant::now() > until {
            let words = format!("{created} mails, {tried} attempts that failed: no backlog within {PATIENCE:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends one command several times, with a kill in between, then another; answers how often the one was told.
fn repeat(stage: &mut Stage, sink: &Sink) -> io::Result<f64> {
    let (already, mut commands) = (sink.received(), Commands::new("called"));
    let command = commands.next().to_vec();
    for nth in 0..SENT {
        stage.connect()?.exchange(&command)?.expect_status(200)?;
        if nth == SENT / 2 {
            sink.await_received(already + 1, PATIENCE)?;
            stage.kill_and_start()?;
        }
    }
    // What the repeats would send is sent before this one, or is counted among what was created.
    stage.connect()?.exchange(commands.next())?.expect_status(200)?;
    sink.await_received(already + 2, PATIENCE)?;
    let created = stage.appliance.metrics()?.sum("tidings_notifications_created_total", &[("kind", "webhook")])?;
    #[allow(clippy::cast_precision_loss)]
    let told = (created.max(sink.received() - already) - 1) as f64;
    Ok(told)
}

/// Commands to tell a customer, each another one.
#[derive(Debug)]
struct Commands {
    bytes: Vec<u8>,
    number_at: usize,
    next: u64,
}

impl Commands {
    fn new(customer: &str) -> Self {
        let blank = "?".repeat(DIGITS);
        let parameters = format!(r#"{{\"customerId\":\"{customer}\",\"order\":\"{blank}\"}}"#);
        let body = format!(r#"{{"type":"partnerSubscriptionAdded","parameters":"{parameters}"}}"#);
        let headers = [("x-api-key", KEY), ("content-type", "application/json")];
        let bytes = request("POST", "/v2/notification", &headers, body.as_bytes());
        let number_at = bytes.windows(DIGITS).position(|window| window == blank.as_bytes()).unwrap_or_default();
        Self { bytes, number_at, next: 1 }
    }
}

impl Source for Commands {
    fn next(&mut self) -> &[u8] {
        let mut place = &mut self.bytes[self.number_at..self.number_at + DIGITS];
        // It has exactly the room that the number needs.
        let _ = place.write_all(id(self.next).as_bytes());
        self.next += 1;
        &self.bytes
    }
}
