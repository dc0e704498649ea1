//! The real binary, killed at random moments under load: nothing answered is lost, nothing comes twice
//! (promises 1 to 3 of the design).
//!
//! `TIDINGS_TEST_SEED` repeats the draws of a run, as far as threads and a kernel let themselves be repeated;
//! `TIDINGS_TEST_KILLS` sets how often the process is killed.

mod account;
mod delivery;
mod draw;
mod lives;
mod poller;
#[path = "../process/mod.rs"]
mod process;
mod publisher;
mod receiver;
mod reloads;
mod sharing;

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use tidings::base::random::{Random, SeededRandomness, SystemRandomness};

use account::{Published, Received, violations};
use draw::below;
use lives::Lives;
use poller::{Notes, Poller, names, poll_target};
use process::appliance::Appliance;
use process::connection::{Connection, request};
use process::metrics::Metrics;
use process::site::{CLIENT, Declared, SECRET, Site};
use process::token::bearer;
use publisher::{Post, Publisher, Tally};

/// The longest start that is put up with: a debug build on a busy machine repairs a file of some MiB.
const START: Duration = Duration::from_mins(1);
/// After this the test gives up, however many kills are left.
const BUDGET: Duration = Duration::from_mins(5);
const PUBLISHERS: u32 = 4;

/// A subscription of the test: its id, its event types, whether its pollers use keys, and how many they are.
struct Plan {
    id: &'static str,
    types: &'static [&'static str],
    keyed: bool,
    pollers: u64,
}

const PLANS: [Plan; 4] = [
    Plan { id: "keyed-alpha", types: &["alpha"], keyed: true, pollers: 1 },
    Plan { id: "keyed-both", types: &["alpha", "beta"], keyed: true, pollers: 2 },
    Plan { id: "plain-beta", types: &["beta"], keyed: false, pollers: 1 },
    Plan { id: "plain-both", types: &["alpha", "beta"], keyed: false, pollers: 2 },
];

/// Where sites are made: on the disk that the build is on.
pub(crate) fn sites() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn nothing_answered_is_lost_when_the_process_is_killed() {
    let seed = number_from_environment("TIDINGS_TEST_SEED").unwrap_or_else(any_seed);
    let kills = number_from_environment("TIDINGS_TEST_KILLS").unwrap_or(50);
    println!("TIDINGS_TEST_SEED={seed} TIDINGS_TEST_KILLS={kills}");
    let site = sites_with(&PLANS);
    let siege = |appliance, field: &Field<'_>| kill_repeatedly(&site, appliance, field, kills);
    if let Err(error) = besiege(&site, seed, siege) {
        panic!("seed {seed}: {error}\nthe log ends with:\n{}", site.last_words());
    }
}

/// A site with these subscriptions.
fn sites_with(plans: &[Plan]) -> Site {
    let declared = plans.iter().fold(Declared::default(), |declared, plan| declared.subscription(plan.id, plan.types));
    Site::new(sites(), declared).expect("a folder can be made")
}

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn any_seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandomness::default().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Load and whatever `siege` does to it, which answers the life that is left standing; then the account.
fn besiege(
    site: &Site,
    seed: u64,
    siege: impl FnOnce(Appliance, &Field<'_>) -> io::Result<Appliance>,
) -> io::Result<()> {
    let (lives, tally) = (Lives::default(), Tally::default());
    let appliance = Appliance::start(site, START)?;
    let token = bearer(appliance.addresses.api, CLIENT, SECRET)?;
    lives.begin(appliance.addresses.api);
    let field = Field { lives: &lives, tally: &tally, token: &token, seed };
    let (appliance, posts, mut received) = thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| field.publisher(number))
            .map(|publisher| scope.spawn(move || publisher.run()))
            .collect();
        let pollers: Vec<Vec<_>> = PLANS
            .iter()
            .map(|plan| {
                let pollers = (0..plan.pollers).map(|nth| field.poller(plan, nth));
                pollers.map(|poller| scope.spawn(move || poller.run())).collect()
            })
            .collect();
        let survivor = siege(appliance, &field);
        // Said before any error is returned: the scope waits for the workers.
        lives.finish();
        let posts: io::Result<Vec<Vec<Post>>> = publishers.into_iter().map(joined).collect();
        let received = PLANS.iter().zip(pollers).map(|(plan, pollers)| gather(plan, pollers));
        let received: io::Result<Vec<Received>> = received.collect();
        Ok::<_, io::Error>((survivor?, posts?, received?))
    })?;
    drain(&appliance, &token, &mut received)?;
    let published = Published { posts: posts.into_iter().flatten().collect() };
    close_account(&appliance, &published, received)?;
    close_site(site, appliance)
}

/// What all workers share.
struct Field<'a> {
    lives: &'a Lives,
    tally: &'a Tally,
    token: &'a str,
    seed: u64,
}

impl<'a> Field<'a> {
    /// The next life, by `start`: its sums have to agree with what was answered before.
    fn begin_anew(&self, start: impl FnOnce() -> io::Result<Appliance>) -> io::Result<Appliance> {
        // Counted before the restart: later ones may not have been stored yet.
        let answered = self.tally.answered.load(Ordering::SeqCst);
        let appliance = start()?;
        demand_conservation(&appliance.metrics()?, answered, self.tally.tried.load(Ordering::SeqCst))?;
        self.lives.begin(appliance.addresses.api);
        Ok(appliance)
    }

    fn publisher(&self, number: u32) -> Publisher<'a> {
        let &Self { lives, tally, token, seed } = self;
        let random = SeededRandomness::new(seed ^ u64::from(number + 1));
        Publisher { number, insists: number.is_multiple_of(2), lives, tally, token, random }
    }

    fn poller(&self, plan: &'static Plan, nth: u64) -> Poller<'a> {
        let &Self { lives, token, seed, .. } = self;
        let random = SeededRandomness::new(seed ^ (100 + nth));
        let name = format!("{}-{nth}", plan.id);
        Poller { name, subscription: plan.id, keyed: plan.keyed, waits: nth == 0, lives, token, random }
    }
}

fn joined<T>(worker: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
}

fn gather(plan: &Plan, pollers: Vec<ScopedJoinHandle<'_, io::Result<Notes>>>) -> io::Result<Received> {
    Ok(Received {
        subscription: plan.id.to_owned(),
        types: plan.types.iter().map(|&t| t.to_owned()).collect(),
        keyed: plan.keyed,
        notes: pollers.into_iter().map(joined).collect::<io::Result<_>>()?,
        consumed: 0,
    })
}

/// Kills the process `kills` times, and answers the life that is left standing.
fn kill_repeatedly(site: &Site, mut appliance: Appliance, field: &Field<'_>, kills: u64) -> io::Result<Appliance> {
    let &Field { lives, seed, .. } = field;
    let (random, begun) = (SeededRandomness::new(seed), Instant::now());
    for kill in 1..=kills {
        thread::sleep(Duration::from_millis(u64::from(10 + below(&random, 300))));
        lives.strike();
        appliance.kill()?;
        if kill.is_multiple_of(5) {
            kill_while_starting(site, &random)?;
        }
        appliance = field.begin_anew(|| Appliance::start(site, START))?;
        if begun.elapsed() > BUDGET {
            return Err(io::Error::other(format!("{kill} kills took longer than {BUDGET:?}")));
        }
    }
    // The last life works for a while too.
    thread::sleep(Duration::from_millis(200));
    Ok(appliance)
}

/// A start that does not get far: recovery must survive being killed as well.
fn kill_while_starting(site: &Site, random: &SeededRandomness) -> io::Result<()> {
    let mut appliance = Appliance::spawn(site)?;
    thread::sleep(Duration::from_millis(u64::from(below(random, 40))));
    appliance.kill()
}

/// Promise 2, right after a restart: the sums of the file agree with each other and with what we know.
fn demand_conservation(metrics: &Metrics, answered: u64, tried: u64) -> io::Result<()> {
    let accepted = metrics.sum("tidings_events_accepted_total", &[])?;
    let matched = metrics.sum("tidings_events_matched_total", &[])?;
    let unmatched = metrics.sum("tidings_events_unmatched_total", &[])?;
    let created = metrics.sum("tidings_notifications_created_total", &[])?;
    let states = metrics.sum("tidings_notifications", &[])?;
    if accepted != matched + unmatched || created != states {
        return Err(io::Error::other(format!(
            "accepted {accepted} is not matched {matched} + unmatched {unmatched}, or created {created} is not {states}"
        )));
    }
    if !(answered..=tried).contains(&accepted) {
        return Err(io::Error::other(format!("{answered} were answered and {tried} sent, but {accepted} are stored")));
    }
    Ok(())
}

/// Takes what is left, as one more poller of each subscription.
fn drain(appliance: &Appliance, token: &str, received: &mut [Received]) -> io::Result<()> {
    let mut connection = Connection::open(appliance.addresses.api)?;
    for received in received {
        let poll = request("GET", &poll_target(&received.subscription, 1000), &[("authorization", token)], b"");
        let mut notes = Notes::default();
        loop {
            let page = names(&connection.exchange(&poll)?.expect_status(200)?)?;
            if page.is_empty() {
                break;
            }
            notes.given.extend(page);
        }
        received.notes.push(notes);
    }
    Ok(())
}

fn close_account(appliance: &Appliance, published: &Published, received: Vec<Received>) -> io::Result<()> {
    let metrics = appliance.metrics()?;
    let mut found = Vec::new();
    for mut received in received {
        received.consumed = sums_of(&metrics, &received.subscription)?;
        let (id, consumed, given) = (&received.subscription, received.consumed, received.given());
        println!("{id}: {consumed} consumed, {given} given, {} polls cut off", received.cut_off());
        found.extend(violations(published, &received));
    }
    println!("{} events answered, {} posts in doubt", published.answered(), published.in_doubt());
    if found.is_empty() { Ok(()) } else { Err(io::Error::other(found.join("\n"))) }
}

/// How many notifications of `subscription` were consumed, which are all that were created: it has been drained.
fn sums_of(metrics: &Metrics, subscription: &str) -> io::Result<u64> {
    let of_it = ("subscription", subscription);
    let created = metrics.sum("tidings_subscription_notifications_created_total", &[of_it])?;
    let consumed = metrics.sum("tidings_subscription_notifications", &[of_it, ("state", "consumed")])?;
    if created != consumed {
        let words = format!("{subscription}: {created} created and all is drained, but {consumed} are consumed");
        return Err(io::Error::other(words));
    }
    Ok(consumed)
}

/// A graceful end, and the file says of itself that it is well.
fn close_site(site: &Site, appliance: Appliance) -> io::Result<()> {
    let status = appliance.stop(START)?;
    if !status.success() {
        return Err(io::Error::other(format!("the appliance stopped with {status}")));
    }
    let status = site.run(&["verify"])?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("tidings verify ended with {status}"))) }
}
