//! The figures that are ratios to a probe: each is taken right after its probes, in several rounds.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::bare::BareServer;
use crate::consumers::Consumer;
use crate::disk::flushes_per_second;
use crate::load::{Load, Served};
use crate::options::Options;
use crate::process::site::Declared;
use crate::report::{Demand, Line, Report, median, millis, per_second};
use crate::requests::{Publishing, Same};
use crate::stage::{CONNECTIONS, Stage, WARM_UP};
use crate::trigger::Triggers;
use crate::webhooks::Webhooks;

/// The subscriptions of the event type `consumed`.
const DRAINED: [&str; 3] = ["drained-1", "drained-2", "drained-3"];

/// The values of a figure and of its probes, one of each round.
#[derive(Debug, Default)]
struct Samples {
    ours: Vec<f64>,
    against_h: Vec<f64>,
    against_f: Vec<f64>,
    /// The medians of the times of the answers, in milliseconds.
    times: Vec<f64>,
}

impl Samples {
    fn add(&mut self, served: &Served, h: Option<f64>, f: Option<f64>) {
        self.ours.push(served.rate);
        self.against_h.extend(h.map(|h| served.rate / h));
        self.against_f.extend(f.map(|f| served.rate / f));
        self.times.push(millis(served.latency(0.5)));
    }

    fn line(&self, figure: &str, scale: &'static str, ratios: &[f64], limit: f64) -> Line {
        let value = format!("{} p50 {:.2} ms", per_second(median(&self.ours)), median(&self.times));
        let demand = Demand::AtLeast(limit);
        Line { figure: figure.to_owned(), value, scale, measured: median(ratios), demand }
    }

    fn report_h(&self, report: &mut Report, figure: &str, limit: f64) {
        report.add(self.line(&format!("{figure}, against H"), "H", &self.against_h, limit));
    }

    fn report_f(&self, report: &mut Report, figure: &str, limit: f64) {
        report.add(self.line(&format!("{figure}, against F"), "F", &self.against_f, limit));
    }
}

/// Takes the probes.
struct Probes<'a> {
    options: &'a Options,
    bare: BareServer,
    checking: BareServer,
    h: Vec<f64>,
    f: Vec<f64>,
}

impl Probes<'_> {
    fn half(&self) -> Duration {
        self.options.measured() / 2
    }

    /// A load on a bare server with the request that a producer sends.
    fn load(&self, server: &BareServer, measured: Duration) -> io::Result<f64> {
        let load = Load {
            address: server.address,
            connections: CONNECTIONS,
            warm_up: WARM_UP / 2,
            measured,
            status: 202,
            secure: false,
        };
        load.run(&mut Publishing::new(&self.checking.token, "probe", 1)).map(|served| served.rate)
    }

    fn h(&mut self) -> io::Result<f64> {
        let rate = self.load(&self.bare, self.half())?;
        self.h.push(rate);
        Ok(rate)
    }

    fn f(&mut self) -> io::Result<f64> {
        let rate = flushes_per_second(&self.options.dir, self.half())?;
        self.f.push(rate);
        Ok(rate)
    }
}

/// All figures of this module.
#[derive(Debug, Default)]
struct Figures {
    one: Samples,
    three: Samples,
    mixed: Samples,
    consumed: Vec<f64>,
    single: Samples,
    secure: Samples,
    empty_poll: Samples,
    webhooks: Webhooks,
    triggers: Triggers,
    checking: Vec<f64>,
    authenticated: Vec<f64>,
}

/// Takes all rounds and reports their medians.
pub(crate) fn measure(options: &Options, report: &mut Report) -> io::Result<()> {
    let (bare, checking) = (BareServer::start(false)?, BareServer::start(true)?);
    let mut probes = Probes { options, bare, checking, h: Vec::new(), f: Vec::new() };
    let mut figures = Figures::default();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        // Each round has an appliance of its own: its backlog grows from nothing.
        let mut stage = Stage::set(&options.dir, declared())?;
        figures.round(options, &mut probes, &mut stage)?;
    }
    figures.report(report, &probes);
    Ok(())
}

fn declared() -> Declared {
    let three = ["three-1", "three-2", "three-3"];
    let declared = Declared::default().subscription("one", &["one"]).subscription("empty", &["never"]);
    let declared = three.iter().fold(declared, |declared, id| declared.subscription(id, &["three"]));
    DRAINED.iter().fold(declared, |declared, id| declared.subscription(id, &["consumed"]))
}

impl Figures {
    fn round(&mut self, options: &Options, probes: &mut Probes<'_>, stage: &mut Stage) -> io::Result<()> {
        let measured = options.measured();
        let (f, h) = (probes.f()?, probes.h()?);
        self.one.add(&stage.publish("one", CONNECTIONS, measured)?, Some(h), Some(f));

        let (f, h) = (probes.f()?, probes.h()?);
        self.three.add(&stage.publish("three", CONNECTIONS, measured)?, Some(h), Some(f));

        let h = probes.h()?;
        let (served, consumed) = publish_and_consume(stage, measured)?;
        self.mixed.add(&served, Some(h), None);
        self.consumed.push(consumed);

        let f = probes.f()?;
        self.single.add(&stage.publish("one", 1, measured)?, None, Some(f));

        let h = probes.h()?;
        self.empty_poll.add(&poll_nothing(stage, measured)?, Some(h), None);

        stage.speak_tls()?;
        let h = probes.h()?;
        self.secure.add(&stage.publish("one", CONNECTIONS, measured)?, Some(h), None);

        let h = probes.h()?;
        self.webhooks.round(options, h)?;
        self.triggers.round(options)?;

        let without = probes.load(&probes.bare, measured)?;
        let with = probes.load(&probes.checking, measured)?;
        self.checking.push(with);
        self.authenticated.push(with / without);
        Ok(())
    }

    fn report(&self, report: &mut Report, probes: &Probes<'_>) {
        let (f, h) = (median(&probes.f), median(&probes.h));
        report.note("F: 4 KiB overwrites + fdatasync", spread(&probes.f), f);
        report.note("H: POSTs to a bare hyper server", spread(&probes.h), h);
        for (figure, samples) in [("publish, fan-out 1", &self.one), ("publish, fan-out 3", &self.three)] {
            samples.report_h(report, figure, 0.20);
            samples.report_f(report, figure, 4.0);
        }
        self.mixed.report_h(report, "publish while all is consumed, fan-out 3", 0.15);
        let consumed = median(&self.consumed);
        report.note("consumed meanwhile and after, to the last one", per_second(consumed), consumed);
        self.single.report_f(report, "publish, one client", 0.25);
        let secure = median(&self.secure.ours);
        let value = format!("{} p50 {:.2} ms", per_second(secure), median(&self.secure.times));
        report.note("publish over TLS 1.3, fan-out 1, against H", value, median(&self.secure.against_h));
        self.webhooks.report(report);
        self.triggers.report(report);
        let empty = median(&self.empty_poll.ours);
        report.note("polls of an empty queue", per_second(empty), median(&self.empty_poll.against_h));
        report.add(Line {
            figure: "bare hyper, a known token checked against not".to_owned(),
            value: per_second(median(&self.checking)),
            scale: "of no auth",
            measured: median(&self.authenticated),
            demand: Demand::AtLeast(0.85),
        });
    }
}

/// The median of a probe and how far its values lie apart: on a quiet machine not far.
fn spread(values: &[f64]) -> String {
    let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(least, most), &v| (least.min(v), most.max(v)));
    format!("{:.0}/s ({least:.0} to {most:.0})", median(values))
}

/// Publishes while three clients drain the three subscriptions; every notification must come out.
fn publish_and_consume(stage: &mut Stage, measured: Duration) -> io::Result<(Served, f64)> {
    let published = AtomicBool::new(false);
    let mut source = stage.publishing("consumed");
    let load = stage.load(CONNECTIONS, measured);
    let consumers = DRAINED.iter().map(|id| Consumer::new(stage, id)).collect::<io::Result<Vec<_>>>()?;
    let begun = std::time::Instant::now();
    let (served, consumed) = thread::scope(|scope| {
        let drained: Vec<_> = consumers
            .into_iter()
            .map(|mut consumer| {
                let published = &published;
                scope.spawn(move || consumer.drain(published))
            })
            .collect();
        let served = load.run(&mut source);
        // Said before any error is returned: the scope waits for the consumers.
        published.store(true, Ordering::SeqCst);
        let joined = |handle: thread::ScopedJoinHandle<'_, io::Result<u64>>| {
            handle.join().unwrap_or_else(|_| Err(io::Error::other("a consumer panicked")))
        };
        let consumed = drained.into_iter().map(joined).sum::<io::Result<u64>>();
        Ok::<_, io::Error>((served?, consumed?))
    })?;
    if consumed != served.total * 3 {
        let words = format!("{} events for 3 subscriptions, but {consumed} notifications came out", served.total);
        return Err(io::Error::other(words));
    }
    #[allow(clippy::cast_precision_loss)]
    let rate = consumed as f64 / begun.elapsed().as_secs_f64();
    Ok((served, rate))
}

/// The way of a poll without the disk.
fn poll_nothing(stage: &Stage, measured: Duration) -> io::Result<Served> {
    let target = "/notification/v1/subscriptions/empty/notifications";
    let poll = crate::process::connection::request("GET", target, &[("authorization", &stage.token)], b"");
    Load { status: 200, ..stage.load(CONNECTIONS, measured) }.run(&mut Same(poll))
}
