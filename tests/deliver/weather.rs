//! Simulated weeks of bad weather, drawn from a seed: receivers that come and go, crashes, pauses, replays. What is
//! promised holds all the same. `TIDINGS_TEST_SEED` repeats a run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings::base::random::{Random, SeededRandomness, SystemRandomness};
use tidings::model::id::LedgerId;
use tidings::model::notification::{EndpointKind, State};
use tidings::model::subscription::SubscriptionDraft;
use tidings::store::Story;

use crate::script::{
    Reply, Tried, delivered, down, gone, later, no_such_address, refused, rejected, unable, unavailable,
};
use crate::stage::{Stage, hook, mail, pushed, setup, strict};
use crate::support::Setup;

const STEPS: u32 = 250;
const IDS: [&str; 4] = ["a", "b", "strict", "mail"];

fn drafts() -> Vec<SubscriptionDraft> {
    vec![
        hook("a", &["x", "brief"], "http://gateway/a"),
        hook("b", &["x", "brief"], "http://gateway/b"),
        strict("strict", &["x", "brief"], "http://strict"),
        pushed("mail", &["x"], vec![mail("a@x"), mail("b@x")]),
    ]
}

fn site() -> Setup {
    setup(drafts())
}

/// A number below `bound`.
fn below(random: &dyn Random, bound: u32) -> u32 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    u32::from_le_bytes(bytes) % bound
}

/// How bad it is at each place, in percent of what fails.
type Weather = Arc<Mutex<HashMap<String, u32>>>;

fn reply(tried: &Tried, weather: &Weather, random: &SeededRandomness) -> Reply {
    let bad = weather.lock().get(&tried.place).copied().unwrap_or_default();
    let soon = tried.at.plus(Duration::from_secs(u64::from(below(random, 600))));
    let sent = if below(random, 100) >= bad {
        delivered()
    } else {
        match below(random, 40) {
            0 => return Reply::Panic,
            1 => gone(),
            2 => unable(),
            3..6 => rejected(),
            6..12 => later(soon),
            12..18 => unavailable(Some(soon).filter(|_| below(random, 2) == 0)),
            18..26 if tried.place.contains('@') => down(),
            26 if tried.place.contains('@') => no_such_address(),
            _ => refused(),
        }
    };
    match below(random, 4) {
        0 => Reply::After(Duration::from_millis(u64::from(below(random, 20_000))), sent),
        _ => Reply::Now(sent),
    }
}

struct Simulation {
    stage: Option<Stage>,
    weather: Weather,
    random: SeededRandomness,
    published: u32,
    crashes: usize,
}

impl Simulation {
    async fn begin(seed: u64) -> Self {
        let stage = Stage::start(site()).await;
        stage.script.share(|place| match place {
            _ if place.contains('@') => "relay".to_owned(),
            _ => place.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"),
        });
        stage.use_script();
        let (weather, draws) = (Weather::default(), SeededRandomness::new(seed + 1));
        let shared = Arc::clone(&weather);
        stage.script.answer(move |tried| reply(tried, &shared, &draws));
        let random = SeededRandomness::new(seed);
        Self { stage: Some(stage), weather, random, published: 0, crashes: 0 }
    }

    fn stage(&self) -> &Stage {
        self.stage.as_ref().unwrap()
    }

    fn draw(&self, bound: u32) -> u32 {
        below(&self.random, bound)
    }

    fn any(&self) -> &'static str {
        IDS[self.draw(4) as usize]
    }

    async fn step(&mut self) {
        match self.draw(20) {
            0..7 => self.publish().await,
            7..10 => self.change_weather(),
            10 => drop(self.stage().appliance.engine.pause(self.any()).await.unwrap()),
            11 | 12 => drop(self.stage().appliance.engine.resume(self.any()).await.unwrap()),
            13 => self.act().await,
            14 if self.draw(4) == 0 => {
                self.crashes += 1;
                let stage = self.stage.take().unwrap();
                self.stage = Some(stage.crash(site()).await);
            }
            _ => {}
        }
        let by = match self.draw(10) {
            0..5 => self.draw(2_000),
            5..9 => self.draw(120_000),
            _ => self.draw(3_600_000),
        };
        self.stage().advance(Duration::from_millis(u64::from(by)));
        tokio::time::sleep(Duration::from_millis(u64::from(self.draw(3)))).await;
    }

    async fn publish(&mut self) {
        let names: Vec<_> = (0..=self.draw(8)).map(|n| format!("{:06}", self.published + n)).collect();
        self.published += u32::try_from(names.len()).unwrap();
        let event_type = if self.draw(4) == 0 { "brief" } else { "x" };
        self.stage().publish(event_type, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    fn change_weather(&self) {
        let places = ["http://gateway/a", "http://gateway/b", "http://strict", "a@x", "b@x"];
        let place = places[self.draw(5) as usize].to_owned();
        let bad = [0, 0, 20, 60, 100][self.draw(5) as usize];
        self.weather.lock().insert(place, bad);
    }

    /// Cancels or retries something; what cannot be is refused.
    async fn act(&self) {
        let stories = self.stage().stories(self.any()).await;
        if stories.is_empty() {
            return;
        }
        let id = stories[self.draw(u32::try_from(stories.len()).unwrap()) as usize].view.id;
        let engine = &self.stage().appliance.engine;
        let _ = match self.draw(2) {
            0 => engine.cancel(id, "test", false).await,
            _ => engine.retry(id, "test", false).await,
        };
    }

    /// The sun comes out, everything is resumed, and all comes to its end.
    async fn clear_up(&self) {
        self.weather.lock().clear();
        let stage = self.stage();
        let begun = std::time::Instant::now();
        loop {
            for id in IDS {
                stage.appliance.engine.resume(id).await.unwrap();
            }
            let figures = stage.appliance.store_figures();
            let open = |kind| {
                let sums = figures.sums.get(kind);
                [State::Queued, State::Leased, State::Held].iter().map(|state| sums.get(*state)).sum::<u64>()
            };
            if open(EndpointKind::Webhook) + open(EndpointKind::Email) == 0 {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "something is stuck: {figures:?}");
            // What is at the end of its schedule waits for half a day.
            stage.advance(Duration::from_secs(if figures.sums.webhook.get(State::Held) == 0 { 60 } else { 1 }));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn check(&self) {
        let stage = self.stage();
        stage.settled().await;
        let figures = stage.appliance.store_figures();
        assert!(figures.sums.webhook.is_conserved() && figures.sums.email.is_conserved());
        for id in IDS {
            let stories = stage.stories(id).await;
            stories.iter().for_each(check_story);
        }
        let strict: Vec<_> = stage.script.tried().into_iter().filter(|tried| tried.place == "http://strict").collect();
        let replayed: Vec<LedgerId> = stage
            .stories("strict")
            .await
            .iter()
            .filter(|story| story.view.round > 1)
            .map(|story| story.view.id)
            .collect();
        let first: Vec<_> = strict.iter().map(|tried| tried.id).filter(|id| !replayed.contains(id)).collect();
        assert!(first.is_sorted_by_key(|id| id.parts().position), "the strict one is out of order");
        assert_eq!(stage.script.most_at("http://strict"), 1, "one in flight in strict order");
        println!("{} events, {} attempts, {} crashes", self.published, stage.script.count(), self.crashes);
    }
}

/// What holds for each notification, whatever it has been through.
fn check_story(story: &Story) {
    let view = &story.view;
    let why = format!("{view:?}\n{:#?}", story.push.attempts);
    match (view.state, view.reason.as_deref()) {
        (State::Delivered | State::Expired | State::Cancelled, _)
        | (State::Failed, Some("retries-exhausted" | "status-400" | "smtp-550" | "suppressed")) => {}
        _ => panic!("an end that cannot be: {why}"),
    }
    for kept in &story.push.attempts {
        let attempt = &kept.attempt;
        assert!(attempt.reason != "no-secret", "no try was made: {why}");
        if view.round == 1 {
            assert!(attempt.started < view.deadline, "begun after the deadline: {why}");
        }
    }
    if view.round == 1 {
        let counted =
            story.push.attempts.iter().filter(|kept| !kept.attempt.probe && kept.attempt.reason == "connect-refused");
        // By mail the same words may say that the relay is down.
        assert!(
            view.kind == EndpointKind::Email || counted.count() <= 4,
            "tried more often than the schedule says: {why}"
        );
    }
}

async fn weeks(seed: u64) {
    let mut simulation = Simulation::begin(seed).await;
    for _ in 0..STEPS {
        simulation.step().await;
    }
    simulation.clear_up().await;
    simulation.check().await;
}

#[tokio::test]
async fn whatever_the_weather_all_comes_to_an_end_that_is_accounted_for() {
    let given = std::env::var("TIDINGS_TEST_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or_else(|| {
        let mut bytes = [0; 4];
        SystemRandomness::default().fill(&mut bytes);
        u32::from_le_bytes(bytes).into()
    });
    println!("TIDINGS_TEST_SEED={seed}");
    weeks(seed).await;
}
