//! A channel that does what a test has written for it, and remembers what it was asked to send.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tidings::base::clock::{Clock as _, ManualClock, Timestamp};
use tidings::base::rate::Rate;
use tidings::channel::{Channel, Message, Sent, Shared, Verdict};
use tidings::model::attempt::Phases;
use tidings::model::id::LedgerId;
use tidings::model::target::Target;

/// How a target answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// At once.
    Now(Sent),
    /// After so much of the clock's time.
    After(Duration, Sent),
    /// Never.
    Hang,
    /// The program has a fault.
    Panic,
}

/// Something that was asked to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Where to.
    pub(crate) place: String,
    /// The notification.
    pub(crate) id: LedgerId,
    /// The event's subject: what the test calls it.
    pub(crate) name: String,
    /// Which attempt.
    pub(crate) attempt: u32,
    /// When, by the clock.
    pub(crate) at: Timestamp,
}

type Answers = dyn Fn(&Tried) -> Reply + Send + Sync;

#[derive(Default)]
struct State {
    tried: Vec<Tried>,
    in_flight: HashMap<String, usize>,
    most: HashMap<String, usize>,
}

/// The channel.
pub(crate) struct Script {
    clock: ManualClock,
    answers: Mutex<Arc<Answers>>,
    target: Mutex<fn(&str) -> String>,
    rate: Mutex<Option<Rate>>,
    state: Mutex<State>,
}

impl Script {
    pub(crate) fn new(clock: ManualClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            answers: Mutex::new(Arc::new(|_| Reply::Now(delivered()))),
            target: Mutex::new(str::to_owned),
            rate: Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// From now on it answers so.
    pub(crate) fn answer(&self, answers: impl Fn(&Tried) -> Reply + Send + Sync + 'static) {
        *self.answers.lock() = Arc::new(answers);
    }

    /// From now on it always answers so.
    pub(crate) fn always(&self, sent: Sent) {
        self.answer(move |_| Reply::Now(sent.clone()));
    }

    /// The key of each place's target; each has its own where nothing is said.
    pub(crate) fn share(&self, target: fn(&str) -> String) {
        *self.target.lock() = target;
    }

    /// All that it sends is limited to this rate.
    pub(crate) fn limit(&self, rate: &str) {
        *self.rate.lock() = Rate::parse(rate);
    }

    /// All that was tried so far.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        self.state.lock().tried.clone()
    }

    /// The names of what was tried so far, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state.lock().tried.iter().map(|tried| tried.name.clone()).collect()
    }

    /// How often anything was tried.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().tried.len()
    }

    /// How often anything was tried there.
    pub(crate) fn count_at(&self, place: &str) -> usize {
        self.state.lock().tried.iter().filter(|tried| tried.place == place).count()
    }

    /// How many are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.state.lock().in_flight.values().sum()
    }

    /// The most that were under way at once there.
    pub(crate) fn most_at(&self, place: &str) -> usize {
        self.state.lock().most.get(place).copied().unwrap_or_default()
    }

    /// Forgets all that was tried.
    pub(crate) fn forget(&self) {
        let mut state = self.state.lock();
        state.tried.clear();
        state.most.clear();
    }

    fn begin(&self, tried: &Tried) -> Reply {
        let mut state = self.state.lock();
        state.tried.push(tried.clone());
        let now = state.in_flight.entry(tried.place.clone()).or_default();
        *now += 1;
        let now = *now;
        let most = state.most.entry(tried.place.clone()).or_default();
        *most = now.max(*most);
        drop(state);
        let answers = Arc::clone(&self.answers.lock());
        answers(tried)
    }
}

/// Counts down what is under way, however it ends.
struct UnderWay<'a>(&'a Script, &'a str);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.state.lock().in_flight.get_mut(self.1) {
            *count -= 1;
        }
    }
}

#[async_trait]
impl Channel for Script {
    fn shared(&self, target: &Target) -> Shared {
        let rate = self.rate.lock().map(|rate| ("all".to_owned(), rate));
        Shared { target: (self.target.lock())(place(target)), rate }
    }

    async fn send(&self, target: &Target, message: &Message) -> Sent {
        let place = place(target).to_owned();
        let name = message.event.draft.subject.clone().unwrap_or_default();
        let tried = Tried { place, id: message.id, name, attempt: message.attempt, at: self.clock.now() };
        let reply = self.begin(&tried);
        let _under_way = UnderWay(self, &tried.place);
        match reply {
            Reply::Now(sent) => sent,
            Reply::After(pause, sent) => {
                self.clock.sleep_until(self.clock.now().plus(pause)).await;
                sent
            }
            Reply::Hang => std::future::pending().await,
            Reply::Panic => panic!("the test wants it so"),
        }
    }
}

fn place(target: &Target) -> &str {
    match target {
        Target::Webhook(webhook) => &webhook.url,
        Target::Email(email) => &email.address,
        Target::Poll => "",
    }
}

fn sent(verdict: Verdict, reason: &str, status: Option<u16>) -> Sent {
    let detail = format!("the script says {reason}");
    Sent { verdict, reason: reason.to_owned(), status, detail, answer: String::new(), phases: Phases::default() }
}

pub(crate) fn delivered() -> Sent {
    sent(Verdict::Delivered, "status-200", Some(200))
}

/// A fault of the endpoint that says nothing of its target.
pub(crate) fn refused() -> Sent {
    sent(Verdict::Fault { retry_after: None, slow: false }, "connect-refused", None)
}

/// A fault that asks for another try at that time.
pub(crate) fn later(retry_after: Timestamp) -> Sent {
    sent(Verdict::Fault { retry_after: Some(retry_after), slow: false }, "status-500", Some(500))
}

/// A fault that slows the whole target.
pub(crate) fn unavailable(retry_after: Option<Timestamp>) -> Sent {
    sent(Verdict::Fault { retry_after, slow: true }, "status-503", Some(503))
}

pub(crate) fn rejected() -> Sent {
    sent(Verdict::Rejected { suppress: false }, "status-400", Some(400))
}

pub(crate) fn no_such_address() -> Sent {
    sent(Verdict::Rejected { suppress: true }, "smtp-550", Some(550))
}

pub(crate) fn gone() -> Sent {
    sent(Verdict::Gone, "status-410", Some(410))
}

pub(crate) fn down() -> Sent {
    sent(Verdict::Down, "connect-refused", None)
}

pub(crate) fn unable() -> Sent {
    sent(Verdict::Unable, "no-secret", None)
}
