//! A poll client under fire: it notes what it was given and which pages a kill may have taken.

use std::io;
use std::time::Duration;

use tidings::base::random::SeededRandomness;

use crate::draw::below;
use crate::lives::{Life, Lives};
use crate::process::connection::{Answer, Connection, request};
use crate::publisher::Named;

/// How many a poll asks for at most.
const LARGEST: u32 = 40;

/// What a poller notes.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// What it was given, in order.
    pub(crate) given: Vec<Named>,
    /// The sizes of the pages that were in flight when the process was killed: at most one for each life.
    pub(crate) in_flight: Vec<u32>,
}

/// A poll client of one subscription.
pub(crate) struct Poller<'a> {
    /// Its name, part of its keys.
    pub(crate) name: String,
    /// Which subscription.
    pub(crate) subscription: &'a str,
    /// Whether it polls with an `Idempotency-Key`, and repeats a lost answer under it.
    pub(crate) keyed: bool,
    /// Whether it asks the server to wait while there is nothing.
    pub(crate) waits: bool,
    /// The lives of the process.
    pub(crate) lives: &'a Lives,
    /// The value of its `Authorization` header.
    pub(crate) token: &'a str,
    /// What it draws from.
    pub(crate) random: SeededRandomness,
}

/// A poll, as it can be repeated.
#[derive(Clone, Debug)]
struct Ask {
    size: u32,
    key: Option<String>,
}

impl Poller<'_> {
    /// Polls until the work is over, and hands over its notes.
    pub(crate) fn run(&self) -> io::Result<Notes> {
        let mut notes = Notes::default();
        let mut asked = 0_u32;
        // The poll whose answer is missing, and the last page that came.
        let mut open: Option<Ask> = None;
        let mut last: Option<(Ask, Vec<u8>)> = None;
        while !self.lives.over() || open.is_some() {
            let life = self.lives.next()?;
            if let Err(error) = self.poll_in(life, &mut notes, &mut asked, &mut open, &mut last)? {
                self.lives.excuse(life, &error)?;
                // Without a key a repetition would be another poll: what was in flight is given up.
                if let Some(lost) = open.take_if(|ask| ask.key.is_none()) {
                    notes.in_flight.push(lost.size);
                }
            }
        }
        Ok(notes)
    }

    /// Polls in one life. The inner error is that of the connection.
    fn poll_in(
        &self,
        life: Life,
        notes: &mut Notes,
        asked: &mut u32,
        open: &mut Option<Ask>,
        last: &mut Option<(Ask, Vec<u8>)>,
    ) -> io::Result<io::Result<()>> {
        let mut connection = match Connection::open(life.api) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        if let Some((ask, page)) = last
            && ask.key.is_some()
        {
            match self.exchange(&mut connection, ask)? {
                Ok(answer) => demand_same(ask, page, &answer.body)?,
                Err(error) => return Ok(Err(error)),
            }
        }
        while !self.lives.over() || open.is_some() {
            let ask = open.get_or_insert_with(|| self.draw(asked)).clone();
            let answer = match self.exchange(&mut connection, &ask)? {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            *open = None;
            let given = names(&answer)?;
            if given.is_empty() {
                self.pause();
                continue;
            }
            notes.given.extend(given);
            *last = Some((ask, answer.body));
        }
        Ok(Ok(()))
    }

    /// Polls once. The outer error is a wrong answer, the inner one that of the connection.
    fn exchange(&self, connection: &mut Connection, ask: &Ask) -> io::Result<io::Result<Answer>> {
        let target = poll_target(self.subscription, ask.size);
        let mut headers = vec![("authorization", self.token)];
        if self.waits {
            headers.push(("prefer", "wait=1"));
        }
        if let Some(key) = &ask.key {
            headers.push(("idempotency-key", key));
        }
        match connection.exchange(&request("GET", &target, &headers, b"")) {
            Ok(answer) => answer.expect_status(200).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn draw(&self, asked: &mut u32) -> Ask {
        *asked += 1;
        let key = self.keyed.then(|| format!("{}-{asked}", self.name));
        Ask { size: 1 + below(&self.random, LARGEST), key }
    }

    /// A client that does not wait at the server does not hammer it either.
    fn pause(&self) {
        if !self.waits {
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

/// The path and query of a poll.
pub(crate) fn poll_target(subscription: &str, size: u32) -> String {
    format!("/notification/v1/subscriptions/{subscription}/notifications?size={size}")
}

/// The names of the events of a page.
pub(crate) fn names(page: &Answer) -> io::Result<Vec<Named>> {
    let json = page.json()?;
    let results = json["results"].as_array().ok_or_else(|| io::Error::other(format!("no page: {}", page.text())))?;
    let name = |result: &serde_json::Value| {
        let name = result["id"].as_str().and_then(Named::parse);
        name.filter(|name| result["event_type_id"] == name.event_type() && result["number"] == name.number)
            .ok_or_else(|| io::Error::other(format!("never published like this: {result}")))
    };
    results.iter().map(name).collect()
}

fn demand_same(ask: &Ask, before: &[u8], after: &[u8]) -> io::Result<()> {
    if before == after {
        return Ok(());
    }
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    Err(io::Error::other(format!("{ask:?} gave another page after the restart:\n{before}\n{after}")))
}
