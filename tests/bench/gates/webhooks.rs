//! Webhooks to a local sink: signed, each attempt durable.

use std::io;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::process::connection::request;
use crate::process::site::{CLIENT, Declared};
use crate::report::{Demand, Line, Report, median, millis, per_second};
use crate::requests::{event, id};
use crate::sink::Sink;
use crate::stage::Stage;

/// Webhooks that are waited for, a multiple of a thousand.
const BACKLOG: u64 = 30_000;
/// How long that may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// The pause between events where the time from creation to delivery is taken: 200 a second.
const PACE: Duration = Duration::from_millis(5);
/// 32 bytes, as they stand behind `whsec_`.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    rates: Vec<f64>,
    against_h: Vec<f64>,
    /// Milliseconds from the first byte of a publish to the last one of its webhook.
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// The subscription whose webhook goes to `sink`, and the policy that lets it.
fn declared(sink: &Sink) -> Declared {
    let further = format!(
        "[[webhooks.egress]]\nname = \"sink\"\nallow = [\"127.0.0.1/32:{}\"]\n\
         [[subscriptions]]\nid = \"hook\"\nclient_id = \"{CLIENT}\"\nevent_types = [\"hook\"]\n\
         webhook = {{ url = \"http://{}/\", egress = \"sink\", secrets = [{{ value = \"{SECRET}\" }}] }}\n",
        sink.address.port(),
        sink.address
    );
    Declared { further, ..Declared::default() }
}

impl Webhooks {
    /// One round, against the probe `h` that was taken just before.
    pub(crate) fn round(&mut self, options: &Options, h: f64) -> io::Result<()> {
        let sink = Sink::start()?;
        let mut stage = Stage::set(&options.dir, declared(&sink))?;
        stage.fill("hook", 1000)?;
        sink.await_received(1000, PATIENCE)?;
        let begun = Instant::now();
        stage.fill("hook", BACKLOG)?;
        sink.await_received(1000 + BACKLOG, PATIENCE)?;
        #[allow(clippy::cast_precision_loss)]
        let rate = BACKLOG as f64 / begun.elapsed().as_secs_f64();
        self.rates.push(rate);
        self.against_h.push(rate / h);
        let times = pace(options, &stage, &sink)?;
        let at = |share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let index = (times.len().saturating_sub(1) as f64 * share) as usize;
            times.get(index).copied().map_or(f64::MAX, millis)
        };
        self.p50.push(at(0.5));
        self.p99.push(at(0.99));
        Ok(())
    }

    /// Adds the lines (performance.md, "Gates").
    pub(crate) fn report(&self, report: &mut Report) {
        let value = per_second(median(&self.rates));
        let (figure, measured) = ("webhooks, signed and durable, to a sink".to_owned(), median(&self.against_h));
        report.add(Line { figure, value, scale: "H", measured, demand: Demand::AtLeast(0.05) });
        for (share, values, limit) in [("p50", &self.p50, 2.0), ("p99", &self.p99, 5.0)] {
            let measured = median(values);
            let figure = format!("creation to delivery at 200/s, {share}");
            let value = format!("{measured:.2} ms");
            report.add(Line { figure, value, scale: "ms", measured, demand: Demand::AtMost(limit) });
        }
    }
}

/// Publishes at a steady pace; answers how long each event took to arrive, sorted.
fn pace(options: &Options, stage: &Stage, sink: &Sink) -> io::Result<Vec<Duration>> {
    sink.note();
    let mut connection = stage.connect()?;
    let headers = [("authorization", stage.token.as_str()), ("content-type", "application/cloudevents+json")];
    let (begun, already) = (Instant::now(), sink.received());
    let mut sent = Vec::new();
    for number in 0_u64.. {
        let due = begun + PACE * u32::try_from(number).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if begun.elapsed() > options.measured() {
            break;
        }
        // Ids that no load before has used.
        let id = id((1 << 60) + number);
        let publish = request("POST", "/v1/events", &headers, &event(&id, "hook"));
        let asked = Instant::now();
        connection.exchange(&publish)?.expect_status(202)?;
        sent.push((id, asked));
    }
    sink.await_received(already + sent.len() as u64, PATIENCE)?;
    let taken = |(id, asked): &(String, Instant)| {
        let missing = || io::Error::other(format!("the event {id} did not come"));
        sink.arrival(id).map(|at| at.saturating_duration_since(*asked)).ok_or_else(missing)
    };
    let mut times = sent.iter().map(taken).collect::<io::Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok(times)
}
