//! The real binary, killed while it sends webhooks: what was accepted arrives at least once, and only what was in flight
//! at a kill arrives again (promise 5 of the design).

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tidings::base::random::SeededRandomness;

use crate::draw::below;
use crate::lives::Lives;
use crate::process::appliance::Appliance;
use crate::process::metrics::Metrics;
use crate::process::site::{CLIENT, Declared, SECRET, Site};
use crate::process::token::bearer;
use crate::publisher::{Post, Publisher, Tally};
use crate::receiver::{Arrival, Receiver};
use crate::{BUDGET, START, any_seed, close_site, demand_conservation, joined, number_from_environment, sites};

/// `webhooks.in_flight`: what has been claimed and is not settled.
const IN_FLIGHT: usize = 16;
const PUBLISHERS: u32 = 2;

#[test]
fn what_was_accepted_arrives_when_the_process_is_killed() {
    let seed = number_from_environment("TIDINGS_TEST_SEED").unwrap_or_else(any_seed);
    let kills = number_from_environment("TIDINGS_TEST_KILLS").unwrap_or(12);
    println!("TIDINGS_TEST_SEED={seed} TIDINGS_TEST_KILLS={kills}");
    let receiver = Receiver::start(seed).expect("it can listen");
    let site = Site::new(sites(), declared(&receiver)).expect("a folder can be made");
    let siege = |appliance, (lives, tally): (&Lives, &Tally)| {
        kill_repeatedly(&site, appliance, &receiver, (lives, tally), (seed, kills))
    };
    if let Err(error) = besiege(&site, &receiver, (seed, kills), siege) {
        panic!("seed {seed}: {error}\nthe log ends with:\n{}", site.last_words());
    }
}

/// What is sent to `receiver`, in both orders.
pub(crate) fn declared(receiver: &Receiver) -> Declared {
    let address = receiver.address;
    let mut further = format!(
        "[webhooks]\nin_flight = {IN_FLIGHT}\nin_flight_each = 8\n[[webhooks.egress]]\nname = \"test\"\nallow = [\"{address}\"]\n"
    );
    for ordering in ["relaxed", "strict"] {
        // Writing to a String cannot fail.
        let _ = write!(
            further,
            "[[subscriptions]]\nid = \"{ordering}\"\nclient_id = \"{CLIENT}\"\nevent_types = [\"alpha\", \"beta\"]\n\
             webhook = {{ url = \"http://{address}/{ordering}\", egress = \"test\", ordering = \"{ordering}\", \
             asymmetric = true }}\n"
        );
    }
    Declared { further, ..Declared::default() }
}

/// Load and whatever `siege` does to it, which answers the life that is left standing; then the account.
pub(crate) fn besiege(
    site: &Site,
    receiver: &Receiver,
    (seed, kills): (u64, u64),
    siege: impl FnOnce(Appliance, (&Lives, &Tally)) -> io::Result<Appliance>,
) -> io::Result<()> {
    let (lives, tally) = (Lives::default(), Tally::default());
    let appliance = Appliance::start(site, START)?;
    let token = bearer(appliance.addresses.api, CLIENT, SECRET)?;
    lives.begin(appliance.addresses.api);
    let (appliance, posts) = thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| {
                let random = SeededRandomness::new(seed ^ u64::from(number + 1));
                Publisher { number, insists: true, lives: &lives, tally: &tally, token: &token, random }
            })
            .map(|publisher| scope.spawn(move || publisher.run()))
            .collect();
        let survivor = siege(appliance, (&lives, &tally));
        // Said before any error is returned: the scope waits for the workers.
        lives.finish();
        let posts: io::Result<Vec<Vec<Post>>> = publishers.into_iter().map(joined).collect();
        Ok::<_, io::Error>((survivor?, posts?))
    })?;
    let created = await_delivery(&appliance)?;
    let posts: Vec<Post> = posts.into_iter().flatten().collect();
    check(&posts, created, &receiver.arrivals(), kills)?;
    close_site(site, appliance)
}

/// Kills the process `kills` times, and answers the life that is left standing.
fn kill_repeatedly(
    site: &Site,
    mut appliance: Appliance,
    receiver: &Receiver,
    (lives, tally): (&Lives, &Tally),
    (seed, kills): (u64, u64),
) -> io::Result<Appliance> {
    let (random, begun) = (SeededRandomness::new(seed), Instant::now());
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(u64::from(20 + below(&random, 200))));
        lives.strike();
        appliance.kill()?;
        receiver.next_life()?;
        let answered = tally.answered.load(std::sync::atomic::Ordering::SeqCst);
        appliance = Appliance::start(site, START)?;
        let tried = tally.tried.load(std::sync::atomic::Ordering::SeqCst);
        demand_conservation(&appliance.metrics()?, answered, tried)?;
        lives.begin(appliance.addresses.api);
        if begun.elapsed() > BUDGET {
            return Err(io::Error::other(format!("{kills} kills take longer than {BUDGET:?}")));
        }
    }
    thread::sleep(Duration::from_millis(200));
    Ok(appliance)
}

/// Waits until all is delivered, and says how many notifications that were.
fn await_delivery(appliance: &Appliance) -> io::Result<u64> {
    let begun = Instant::now();
    loop {
        let metrics = appliance.metrics()?;
        let (created, delivered) = (created(&metrics)?, state(&metrics, "delivered")?);
        if created == delivered {
            return Ok(created);
        }
        if begun.elapsed() > BUDGET {
            return Err(io::Error::other(format!("{delivered} of {created} were delivered within {BUDGET:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn created(metrics: &Metrics) -> io::Result<u64> {
    metrics.sum("tidings_notifications_created_total", &[("kind", "webhook")])
}

fn state(metrics: &Metrics, state: &str) -> io::Result<u64> {
    metrics.sum("tidings_notifications", &[("kind", "webhook"), ("state", state)])
}

/// Holds what was received against what was accepted.
fn check(posts: &[Post], created: u64, arrivals: &[Arrival], kills: u64) -> io::Result<()> {
    let mut wrong = Vec::new();
    for path in ["/relaxed", "/strict"] {
        let here: Vec<_> = arrivals.iter().filter(|arrival| arrival.path == path).collect();
        let events: HashSet<_> = here.iter().map(|arrival| arrival.event.as_str()).collect();
        let answered = posts.iter().filter(|post| post.answered.is_some()).flat_map(|post| &post.events);
        wrong.extend(
            answered.filter(|event| !events.contains(event.id().as_str())).map(|e| format!("{path}: {e:?} is lost")),
        );
        wrong.extend(twice_in_one_life(&here).map(|id| format!("{path}: {id} came twice in one life")));
    }
    let ids: HashSet<_> = arrivals.iter().map(|arrival| &arrival.id).collect();
    if ids.len() as u64 != created {
        wrong.push(format!("{created} notifications were made, {} have arrived", ids.len()));
    }
    let again = arrivals.len() - ids.len();
    println!("{created} notifications, {again} of them again, after {kills} kills");
    wrong.extend(again_after(arrivals).filter(|(_, count)| *count > IN_FLIGHT).map(|(life, count)| {
        format!("{count} that came in life {life} came again, though only {IN_FLIGHT} can have been in flight")
    }));
    let strict: Vec<_> = arrivals.iter().filter(|arrival| arrival.path == "/strict").map(|a| &a.id).collect();
    if !strict.is_sorted() {
        wrong.push("what is in strict order did not come in order".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(io::Error::other(wrong.join("\n"))) }
}

fn twice_in_one_life<'a>(arrivals: &[&'a Arrival]) -> impl Iterator<Item = &'a str> {
    let mut seen = HashSet::new();
    let twice: Vec<_> = arrivals.iter().filter(|arrival| !seen.insert((arrival.life, &arrival.id))).collect();
    twice.into_iter().map(|arrival| arrival.id.as_str())
}

/// How many of those that came in each life came again in a later one.
fn again_after(arrivals: &[Arrival]) -> impl Iterator<Item = (u32, usize)> {
    let (mut last, mut counts) = (HashMap::new(), HashMap::<u32, usize>::new());
    for arrival in arrivals {
        if let Some(life) = last.insert(&arrival.id, arrival.life).filter(|life| *life != arrival.life) {
            *counts.entry(life).or_default() += 1;
        }
    }
    counts.into_iter()
}
