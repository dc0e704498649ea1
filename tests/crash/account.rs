//! The account at the end: what was answered against what was given.

use std::collections::{BTreeMap, BTreeSet};

use crate::poller::Notes;
use crate::publisher::{Named, Post};

/// One subscription and all that its pollers noted.
#[derive(Debug)]
pub(crate) struct Received {
    /// Its id.
    pub(crate) subscription: String,
    /// Its event types.
    pub(crate) types: Vec<String>,
    /// Whether its pollers polled under keys.
    pub(crate) keyed: bool,
    /// The notes of each of them.
    pub(crate) notes: Vec<Notes>,
    /// Its notifications that ended as consumed, as the metrics say.
    pub(crate) consumed: u64,
}

/// What was published.
#[derive(Debug)]
pub(crate) struct Published {
    /// All posts of all publishers.
    pub(crate) posts: Vec<Post>,
}

impl Received {
    /// How many notifications its pollers were given.
    pub(crate) fn given(&self) -> u64 {
        self.notes.iter().map(|notes| notes.given.len() as u64).sum()
    }

    /// How many polls were cut off by a kill and not repeated.
    pub(crate) fn cut_off(&self) -> usize {
        self.notes.iter().map(|notes| notes.in_flight.len()).sum()
    }
}

impl Published {
    /// How many events were answered.
    pub(crate) fn answered(&self) -> usize {
        self.posts.iter().filter(|post| post.answered.is_some()).map(|post| post.events.len()).sum()
    }

    /// How many posts have stayed in doubt.
    pub(crate) fn in_doubt(&self) -> usize {
        self.posts.iter().filter(|post| post.answered.is_none()).count()
    }

    fn events(&self, answered: bool) -> impl Iterator<Item = &Named> {
        self.posts.iter().filter(move |post| post.answered.is_some() == answered).flat_map(|post| &post.events)
    }
}

/// What is wrong with `received`, in words; empty if nothing is.
pub(crate) fn violations(published: &Published, received: &Received) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = |event: &&Named| received.types.iter().any(|t| t == event.event_type());
    let answered: BTreeSet<&Named> = published.events(true).filter(wanted).collect();
    let in_doubt: BTreeSet<&Named> = published.events(false).filter(wanted).collect();
    let given = given_once(received, &mut found);
    for event in given.iter().filter(|event| !answered.contains(*event) && !in_doubt.contains(*event)) {
        found.push(format!("{} was given, but never published to it", event.id()));
    }
    let missing: Vec<_> = answered.difference(&given).map(|event| event.id()).collect();
    judge_missing(received, given.len() as u64, &missing, &mut found);
    if received.keyed {
        judge_batches(published, received, &given, &mut found);
    }
    for notes in &received.notes {
        judge_order(notes, &mut found);
    }
    found.iter().map(|words| format!("{}: {words}", received.subscription)).collect()
}

fn given_once<'a>(received: &'a Received, found: &mut Vec<String>) -> BTreeSet<&'a Named> {
    let mut given = BTreeSet::new();
    for event in received.notes.iter().flat_map(|notes| &notes.given) {
        if !given.insert(event) {
            found.push(format!("{} was given twice", event.id()));
        }
    }
    given
}

/// With keys nothing may be missing. Without, only what is consumed and was in the pages in flight at the kills.
fn judge_missing(received: &Received, given: u64, missing: &[String], found: &mut Vec<String>) {
    let excused: u64 = received.notes.iter().flat_map(|notes| &notes.in_flight).map(|&size| u64::from(size)).sum();
    if received.keyed && !missing.is_empty() {
        found.push(format!("answered, but lost: {missing:?}"));
    }
    let Some(unseen) = received.consumed.checked_sub(given) else {
        found.push(format!("{} are counted as consumed, but {given} were given", received.consumed));
        return;
    };
    if unseen > excused {
        found.push(format!("{unseen} were consumed and seen by nobody, but {excused} at most were in flight"));
    }
    if missing.len() as u64 > unseen {
        found.push(format!("{} are missing, but {unseen} were consumed unseen: {missing:?}", missing.len()));
    }
}

/// A batch is all or nothing, also one whose answer was lost.
fn judge_batches(published: &Published, received: &Received, given: &BTreeSet<&Named>, found: &mut Vec<String>) {
    for post in published.posts.iter().filter(|post| post.answered.is_none()) {
        let mine = || post.events.iter().filter(|event| received.types.iter().any(|t| t == event.event_type()));
        let stored = mine().filter(|event| given.contains(event)).count();
        if stored != 0 && stored != mine().count() {
            found.push(format!("half of a batch is there: {post:?}"));
        }
    }
}

/// A producer that waits for its answers finds its events in its order, in what any one poller is given.
fn judge_order(notes: &Notes, found: &mut Vec<String>) {
    let mut latest = BTreeMap::new();
    for event in &notes.given {
        if let Some(before) = latest.insert(event.publisher, event.number)
            && before >= event.number
        {
            found.push(format!("{} came after {}-{before}", event.id(), event.publisher));
        }
    }
}
