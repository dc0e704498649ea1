//! Many subscriptions and a long backlog: what must stay fast, stays fast.

use std::io;
use std::time::{Duration, Instant};

use crate::load::Load;
use crate::options::Options;
use crate::process::connection::request;
use crate::process::site::Declared;
use crate::report::{Report, mebibytes, millis, per_second};
use crate::requests::Same;
use crate::stage::{CONNECTIONS, START, Stage};

/// Event types, each with [`FAN_OUT`] subscriptions: 10,000 in all.
const TYPES: usize = 1000;
const FAN_OUT: usize = 10;
/// Every one of so many types gets a backlog.
const STRIDE: usize = 10;
/// Events in the backlog of such a type: with 100 types and their fan-out a million notifications.
const BACKLOG: u64 = 1000;
/// Notifications that wait in the queue that is deleted.
const DELETED: u64 = 1_000_000;

/// Takes and reports the figures of this module.
pub(crate) fn measure(options: &Options, report: &mut Report) -> io::Result<()> {
    let begun = Instant::now();
    let mut stage = Stage::set(&options.dir, declared())?;
    duration(report, "10,000 subscriptions: first start", begun.elapsed());
    publish_and_poll(options, &mut stage, report, "10,000 subscriptions, nothing waiting")?;
    fill(&mut stage)?;
    memory(&stage, report, "memory, 10,000 subscriptions, a million waiting")?;
    publish_and_poll(options, &mut stage, report, "10,000 subscriptions, a million waiting")?;
    let took = stage.kill_and_start()?;
    duration(report, "the same: restart after kill -9", took);
    delete(&mut stage, report)?;
    publish_and_poll(options, &mut stage, report, "after the deletion")?;
    let begun = Instant::now();
    let status = stage.appliance.stop(START)?;
    duration(report, "stop", begun.elapsed());
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the appliance stopped with {status}"))) }
}

fn declared() -> Declared {
    (0..TYPES * FAN_OUT).fold(Declared::default(), |declared, n| {
        declared.subscription(&format!("s-{n}"), &[&format!("type-{}", n / FAN_OUT)])
    })
}

/// A million notifications over a thousand subscriptions.
fn fill(stage: &mut Stage) -> io::Result<()> {
    (0..TYPES).step_by(STRIDE).try_for_each(|n| stage.fill(&format!("type-{n}"), BACKLOG))
}

fn publish_and_poll(options: &Options, stage: &mut Stage, report: &mut Report, when: &str) -> io::Result<()> {
    let served = stage.publish("type-0", CONNECTIONS, options.measured())?;
    let p99 = millis(served.latency(0.99));
    let value = format!("{} p99 {p99:.1} ms", per_second(served.rate));
    report.note(&format!("{when}: publish, fan-out {FAN_OUT}"), value, served.rate);
    // Small pages, so that the queue outlasts the polls.
    let poll = request(
        "GET",
        "/notification/v1/subscriptions/s-0/notifications?size=10",
        &[("authorization", &stage.token)],
        b"",
    );
    let polls = Load { status: 200, ..stage.load(1, options.measured()) }.run(&mut Same(poll))?;
    let (p50, p99) = (millis(polls.latency(0.5)), millis(polls.latency(0.99)));
    let value = format!("p50 {p50:.2} p99 {p99:.2} ms");
    report.note(&format!("{when}: poll"), value, p50);
    Ok(())
}

/// A subscription made through the API, with a million waiting, is deleted.
fn delete(stage: &mut Stage, report: &mut Report) -> io::Result<()> {
    let mut connection = stage.connect()?;
    let headers = [("authorization", stage.token.clone()), ("content-type", "application/json".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = format!(r#"{{"event_type_ids":["flood"],"client_id":"{}"}}"#, crate::process::site::CLIENT);
    let create = request("POST", "/notification/v1/subscriptions", &headers, body.as_bytes());
    let begun = Instant::now();
    let made = connection.exchange(&create)?.expect_status(201)?.json()?;
    duration(report, "create a subscription through the API", begun.elapsed());
    let id = made["id"].as_str().ok_or_else(|| io::Error::other("a subscription without id"))?;
    stage.fill("flood", DELETED)?;
    let begun = Instant::now();
    connection
        .exchange(&request("DELETE", &format!("/notification/v1/subscriptions/{id}"), &headers, b""))?
        .expect_status(204)?;
    duration(report, "delete it with a million waiting", begun.elapsed());
    memory(stage, report, "memory after it")
}

fn memory(stage: &Stage, report: &mut Report, figure: &str) -> io::Result<()> {
    let memory = stage.appliance.memory()?;
    let value = format!("{}, anonymous {}", mebibytes(memory.resident), mebibytes(memory.anonymous));
    #[allow(clippy::cast_precision_loss)]
    report.note(figure, value, memory.resident as f64);
    Ok(())
}

fn duration(report: &mut Report, figure: &str, duration: Duration) {
    let value = millis(duration);
    report.note(figure, format!("{value:.1} ms"), value);
}
