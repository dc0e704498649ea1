//! A producer under fire: it notes what was answered and what a kill has left in doubt.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings::base::random::SeededRandomness;

use crate::draw::below;
use crate::lives::{Life, Lives};
use crate::process::connection::{Connection, request};

/// An event, known by the name that its producer gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// Whose it is.
    pub(crate) publisher: u32,
    /// Ascending for each publisher.
    pub(crate) number: u32,
}

impl Named {
    /// The `id` of the `CloudEvent`.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.publisher, self.number)
    }

    /// The event that has this `id`.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (publisher, number) = id.split_once('-')?;
        Some(Self { publisher: publisher.parse().ok()?, number: number.parse().ok()? })
    }

    /// Its event type.
    pub(crate) fn event_type(&self) -> &'static str {
        if self.number.is_multiple_of(2) { "alpha" } else { "beta" }
    }

    /// The `CloudEvent`; the same for the same name, as a repeat must be.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "specversion": "1.0", "id": self.id(), "source": "/crash", "type": self.event_type(),
            "data": {"number": self.number, "padding": "x".repeat(self.number as usize % 400)},
        })
    }
}

/// One POST: an event, or a batch of them.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// What it carries.
    pub(crate) events: Vec<Named>,
    /// The ids that it was answered with; `None` while it is in doubt.
    pub(crate) answered: Option<Vec<String>>,
}

/// What all publishers together have done so far, in events.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Perhaps sent.
    pub(crate) tried: AtomicU64,
    /// Answered 202 for the first time.
    pub(crate) answered: AtomicU64,
}

/// A producer.
pub(crate) struct Publisher<'a> {
    /// Its number, part of the names of its events.
    pub(crate) number: u32,
    /// Whether it repeats what is in doubt until it is answered; else that stays in doubt.
    pub(crate) insists: bool,
    /// The lives of the process.
    pub(crate) lives: &'a Lives,
    /// The common count.
    pub(crate) tally: &'a Tally,
    /// The value of its `Authorization` header.
    pub(crate) token: &'a str,
    /// What it draws from.
    pub(crate) random: SeededRandomness,
}

impl Publisher<'_> {
    /// Publishes until the work is over, and hands over its notes.
    pub(crate) fn run(&self) -> io::Result<Vec<Post>> {
        let mut posts = Vec::new();
        while !self.lives.over() {
            let life = self.lives.next()?;
            if let Err(error) = self.publish_in(life, &mut posts)? {
                self.lives.excuse(life, &error)?;
            }
        }
        Ok(posts)
    }

    /// Publishes in one life. The inner error is that of the connection.
    fn publish_in(&self, life: Life, posts: &mut Vec<Post>) -> io::Result<io::Result<()>> {
        let mut connection = match Connection::open(life.api) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.look_back(&mut connection, posts)? {
            return Ok(Err(error));
        }
        while !self.lives.over() {
            posts.push(self.draw(posts));
            let Some(post) = posts.last_mut() else { continue };
            self.tally.tried.fetch_add(post.events.len() as u64, Ordering::SeqCst);
            match exchange(&mut connection, self.token, post)? {
                Err(error) => return Ok(Err(error)),
                Ok(receipts) => {
                    refuse_duplicates(post, &receipts)?;
                    self.answered(post, receipts);
                }
            }
        }
        Ok(Ok(()))
    }

    /// After a restart: what was answered is known, and what is in doubt becomes certain if this one insists.
    fn look_back(&self, connection: &mut Connection, posts: &mut [Post]) -> io::Result<io::Result<()>> {
        if let Some(post) = posts.iter().rev().find(|post| post.answered.is_some()) {
            match exchange(connection, self.token, post)? {
                Err(error) => return Ok(Err(error)),
                Ok(receipts) => demand_duplicates(post, &receipts)?,
            }
        }
        if !self.insists {
            return Ok(Ok(()));
        }
        for post in posts.iter_mut().filter(|post| post.answered.is_none()) {
            match exchange(connection, self.token, post)? {
                Err(error) => return Ok(Err(error)),
                Ok(receipts) => self.answered(post, receipts),
            }
        }
        Ok(Ok(()))
    }

    fn answered(&self, post: &mut Post, receipts: Vec<Receipt>) {
        self.tally.answered.fetch_add(post.events.len() as u64, Ordering::SeqCst);
        post.answered = Some(receipts.into_iter().map(|receipt| receipt.id).collect());
    }

    fn draw(&self, posts: &[Post]) -> Post {
        let first = posts.last().and_then(|post| post.events.last()).map_or(0, |event| event.number + 1);
        // Every fourth is a batch.
        let count = if below(&self.random, 4) == 0 { 2 + below(&self.random, 4) } else { 1 };
        let events = (0..count).map(|n| Named { publisher: self.number, number: first + n }).collect();
        Post { events, answered: None }
    }
}

#[derive(Debug)]
struct Receipt {
    id: String,
    duplicate: bool,
}

/// Sends `post`. The outer error is a wrong answer, the inner one that of the connection.
fn exchange(connection: &mut Connection, token: &str, post: &Post) -> io::Result<io::Result<Vec<Receipt>>> {
    let json: Vec<_> = post.events.iter().map(Named::json).collect();
    let (media_type, body) = match json.as_slice() {
        [one] => ("application/cloudevents+json", one.to_string()),
        _ => ("application/cloudevents-batch+json", serde_json::Value::from(json).to_string()),
    };
    let headers = [("authorization", token), ("content-type", media_type)];
    let answer = match connection.exchange(&request("POST", "/v1/events", &headers, body.as_bytes())) {
        Ok(answer) => answer.expect_status(202)?,
        Err(error) => return Ok(Err(error)),
    };
    let receipts = match answer.json()? {
        serde_json::Value::Array(receipts) => receipts,
        one => vec![one],
    };
    if receipts.len() != post.events.len() {
        return Err(io::Error::other(format!("{} answers for {} events", receipts.len(), post.events.len())));
    }
    Ok(Ok(receipts
        .iter()
        .map(|receipt| Receipt { id: receipt["id"].to_string(), duplicate: receipt["duplicate"] == true })
        .collect()))
}

fn refuse_duplicates(post: &Post, receipts: &[Receipt]) -> io::Result<()> {
    if receipts.iter().any(|receipt| receipt.duplicate) {
        return Err(io::Error::other(format!("new, but called a duplicate: {post:?} {receipts:?}")));
    }
    Ok(())
}

fn demand_duplicates(post: &Post, receipts: &[Receipt]) -> io::Result<()> {
    let known = |(id, receipt): (&String, &Receipt)| receipt.duplicate && receipt.id == *id;
    if !post.answered.iter().flatten().zip(receipts).all(known) {
        return Err(io::Error::other(format!("answered before the kill, not known after it: {post:?} {receipts:?}")));
    }
    Ok(())
}
