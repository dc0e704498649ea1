//! The configuration is read again and again under load, with files that change at random, some of them bad, and the
//! process is killed in the middle of it (promise 7 of the design).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tidings::app;
use tidings::base::random::SeededRandomness;

use crate::draw::below;
use crate::lives::Lives;
use crate::process::appliance::Appliance;
use crate::process::site::{CLIENT, Site};
use crate::publisher::Tally;
use crate::receiver::Receiver;
use crate::{
    BUDGET, Field, PLANS, START, any_seed, besiege, delivery, demand_conservation, number_from_environment, sites,
    sites_with,
};

/// How long a reload may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A secret of webhooks.
const SIGNS: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How many subscriptions come and go.
const EXTRAS: u32 = 10;
/// Every so many reloads the process is killed in the middle of one.
const KILLED: u64 = 8;

#[test]
fn nothing_is_lost_or_doubled_while_the_configuration_is_reloaded() {
    let seed = number_from_environment("TIDINGS_TEST_SEED").unwrap_or_else(any_seed);
    let reloads = number_from_environment("TIDINGS_TEST_RELOADS").unwrap_or(60);
    println!("TIDINGS_TEST_SEED={seed} TIDINGS_TEST_RELOADS={reloads}");
    let site = sites_with(&PLANS);
    let siege = |appliance, field: &Field<'_>| reload_repeatedly(&site, appliance, field, reloads);
    if let Err(error) = besiege(&site, seed, siege) {
        panic!("seed {seed}: {error}\nthe log ends with:\n{}", site.last_words());
    }
}

#[test]
fn what_is_sent_arrives_once_while_the_configuration_is_reloaded() {
    let seed = number_from_environment("TIDINGS_TEST_SEED").unwrap_or_else(any_seed);
    let reloads = number_from_environment("TIDINGS_TEST_RELOADS").unwrap_or(40);
    println!("TIDINGS_TEST_SEED={seed} TIDINGS_TEST_RELOADS={reloads}");
    let receiver = Receiver::start(seed).expect("it can listen");
    let site = Site::new(sites(), delivery::declared(&receiver)).expect("a folder can be made");
    let siege = |appliance, _: (&Lives, &Tally)| reload_senders(&site, appliance, (seed, reloads));
    if let Err(error) = delivery::besiege(&site, &receiver, (seed, 0), siege) {
        panic!("seed {seed}: {error}\nthe log ends with:\n{}", site.last_words());
    }
}

/// Changes how webhooks are sent, and the secrets and targets of neighbours, `reloads` times.
fn reload_senders(site: &Site, appliance: Appliance, (seed, reloads): (u64, u64)) -> io::Result<Appliance> {
    let random = SeededRandomness::new(seed);
    let base = std::fs::read_to_string(site.config())?;
    for _ in 0..reloads {
        thread::sleep(Duration::from_millis(u64::from(below(&random, 60))));
        let is_good = below(&random, 4) > 0;
        let text = draw_senders(&base, &random);
        std::fs::write(site.config(), if is_good { text } else { spoil(&text, &random) })?;
        let told = Told::so_far(site)?;
        hang_up(&appliance)?;
        told.await_one(site, is_good)?;
        demand_conservation(&appliance.metrics()?, 0, u64::MAX)?;
    }
    std::fs::write(site.config(), base)?;
    Ok(appliance)
}

fn draw_senders(base: &str, random: &SeededRandomness) -> String {
    let (in_flight, timeout) = (1 + below(random, 16), 10 + below(random, 9));
    let settings = format!("in_flight = {in_flight}\ntimeout = \"{timeout}s\"\nin_flight_each = {in_flight}\n");
    let mut text = base.replacen("in_flight = 16\nin_flight_each = 8\n", &settings, 1);
    if below(random, 2) == 0 {
        text = text
            .replace("asymmetric = true }", &format!("asymmetric = true, secrets = [{{ value = \"{SIGNS}\" }}] }}"));
    }
    if below(random, 2) == 0 {
        text.push_str("[[webhooks.egress]]\nname = \"other\"\nallow = [\"10.0.0.0/8:443\"]\n");
    }
    text
}

/// Files, and what they are to come to.
struct Files {
    text: String,
    /// The subscriptions that come and go and are there; `None` if they are bad.
    extras: Option<BTreeSet<String>>,
}

/// Draws files out of `base`, the ones that the life was begun with.
fn draw(base: &str, random: &SeededRandomness) -> Files {
    let mut text = base.to_owned();
    let extras: BTreeSet<_> = (0..EXTRAS).filter(|_| below(random, 2) == 0).map(|n| format!("extra-{n}")).collect();
    for id in &extras {
        let types = ["gamma", "delta"][below(random, 2) as usize];
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[subscriptions]]\nid = \"{id}\"\nclient_id = \"{CLIENT}\"\nevent_types = [\"{types}\"]\npoll = {{}}\n\
             on_remove = \"drop\"\n"
        );
    }
    // What is declared throughout is changed too: its queue and its counts stay.
    let on_remove = ["drain", "fail", "drop"][below(random, 3) as usize];
    text = text.replacen("poll = {}\n", &format!("poll = {{}}\non_remove = \"{on_remove}\"\n"), PLANS.len());
    let size = 1 + below(random, 1000);
    let _ = write!(text, "[api.polling]\npage_size = {size}\n[limits]\nwaiting_polls = {}\n", 20 + below(random, 9));
    if below(random, 2) == 0 {
        let id = below(random, 3);
        let _ = write!(text, "[[clients]]\nid = \"guest-{id}\"\nsecret = {{ value = \"x\" }}\nscopes = []\n");
    }
    match below(random, 4) {
        0 => Files { text: spoil(&text, random), extras: None },
        _ => Files { text, extras: Some(extras) },
    }
}

fn spoil(text: &str, random: &SeededRandomness) -> String {
    match below(random, 5) {
        0 => format!("{text}\n[limits\n"),
        1 => format!("{text}\n[sever]\nlisten = []\n"),
        2 => format!("{text}\n[[clients]]\nid = \"{CLIENT}\"\nsecret = {{ value = \"x\" }}\nscopes = []\n"),
        3 => format!("{text}\n[[clients]]\nid = \"bad\"\nsecret = {{ file = \"/nowhere\" }}\nscopes = []\n"),
        _ => text[..text.len() - 1 - below(random, 40) as usize].to_owned() + " = ",
    }
}

fn reload_repeatedly(site: &Site, mut appliance: Appliance, field: &Field<'_>, reloads: u64) -> io::Result<Appliance> {
    let (random, begun) = (SeededRandomness::new(field.seed), Instant::now());
    let mut base = std::fs::read_to_string(site.config())?;
    let mut running = BTreeSet::new();
    for reload in 1..=reloads {
        thread::sleep(Duration::from_millis(u64::from(below(&random, 60))));
        let files = draw(&base, &random);
        std::fs::write(site.config(), &files.text)?;
        let told = Told::so_far(site)?;
        hang_up(&appliance)?;
        if reload.is_multiple_of(KILLED) {
            thread::sleep(Duration::from_millis(u64::from(below(&random, 40))));
            field.lives.strike();
            appliance.kill()?;
            demand_one_of(site, &running, files.extras.as_ref())?;
            appliance = field.begin_anew(|| Appliance::start(site, START))?;
            base = std::fs::read_to_string(site.config())?;
            running = BTreeSet::new();
        } else {
            told.await_one(site, files.extras.is_some())?;
            running = files.extras.unwrap_or(running);
            demand_subscriptions(&appliance, running.len())?;
            demand_conservation(&appliance.metrics()?, 0, u64::MAX)?;
        }
        if begun.elapsed() > BUDGET {
            return Err(io::Error::other(format!("{reload} reloads took longer than {BUDGET:?}")));
        }
    }
    // What comes after reads the files too.
    std::fs::write(site.config(), base)?;
    thread::sleep(Duration::from_millis(200));
    Ok(appliance)
}

fn hang_up(appliance: &Appliance) -> io::Result<()> {
    let pid = i32::try_from(appliance.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.ok_or_else(|| io::Error::other("no process id"))?, Signal::HUP)?;
    Ok(())
}

/// How often the log has told of a reload that was done, and of one that was refused.
#[derive(Clone, Copy)]
struct Told {
    done: usize,
    refused: usize,
}

impl Told {
    fn so_far(site: &Site) -> io::Result<Self> {
        let log = String::from_utf8_lossy(&std::fs::read(site.log())?).into_owned();
        let count = |text: &str| log.matches(text).count();
        Ok(Self { done: count("the configuration was reloaded"), refused: count("the reload was refused") })
    }

    /// Waits for the next one, which must be done or refused.
    fn await_one(self, site: &Site, done: bool) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let now = Self::so_far(site)?;
            match (now.done - self.done, now.refused - self.refused) {
                (0, 0) => thread::sleep(Duration::from_millis(2)),
                (1, 0) if done => return Ok(()),
                (0, 1) if !done => return Ok(()),
                other => return Err(io::Error::other(format!("done and refused: {other:?}, though good is {done}"))),
            }
        }
        Err(io::Error::other(format!("no reload within {PATIENCE:?}")))
    }
}

/// After a good reload exactly what the files declare is there.
fn demand_subscriptions(appliance: &Appliance, extras: usize) -> io::Result<()> {
    let there = appliance.metrics()?.sum("tidings_subscriptions", &[])?;
    let expected = (PLANS.len() + extras) as u64;
    if there == expected { Ok(()) } else { Err(io::Error::other(format!("{there} subscriptions, not {expected}"))) }
}

/// After a kill the data file has the subscriptions from before the reload, or those from after it.
fn demand_one_of(site: &Site, before: &BTreeSet<String>, after: Option<&BTreeSet<String>>) -> io::Result<()> {
    let survey = app::survey(&site.folder().join("data"), &(Arc::new(|_| {}) as _)).map_err(io::Error::other)?;
    let ids = survey.subscriptions.iter().map(|subscription| subscription.id.to_string());
    let (extras, plans): (BTreeSet<_>, BTreeSet<_>) = ids.partition(|id| id.starts_with("extra-"));
    if plans.len() == PLANS.len() && (extras == *before || Some(&extras) == after) {
        return Ok(());
    }
    Err(io::Error::other(format!("neither {before:?} nor {after:?} is there, but {extras:?} and {plans:?}")))
}
