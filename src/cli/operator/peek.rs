//! `tidings poll` without a wish: what waits for a subscription, as the operator sees it. Nothing is taken.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::desk::{Admin, Desk};
use crate::cli::credentials::segment;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, Taken};
use crate::cli::poll::one_line;
use crate::cli::settings::Configuration;

/// How often `--follow` looks again.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many are shown, and asked for at a time.
const PAGE: u16 = 100;

#[derive(Deserialize)]
struct Page {
    notifications: Vec<Waiting>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Waiting {
    id: String,
    event: String,
    deadline: String,
}

/// What is looked at.
pub(in crate::cli) struct Peek<'a> {
    /// The subscription.
    pub(in crate::cli) subscription: &'a str,
    /// How many are shown at most; with `follow` at a time.
    pub(in crate::cli) size: Option<u16>,
    /// Whether to go on until interrupted.
    pub(in crate::cli) follow: bool,
}

/// Shows what waits, oldest first: each notification with its event on a line.
pub(in crate::cli) async fn run(
    peek: &Peek<'_>,
    admin: &Admin,
    configuration: &Configuration,
) -> Result<Exit, Failure> {
    let desk = admin.desk(configuration).await?;
    let what = format!("look at {}", peek.subscription);
    // A subscription that does not exist is told from one that has nothing.
    desk.get(&what, &format!("/subscriptions/{}", segment(peek.subscription))).await?;
    let mut look = Look { desk: &desk, what, peek, cursor: None, seen: None };
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let shown = tokio::select! {
            shown = look.step() => shown?,
            _ = &mut interrupt => return Ok(Exit::Ok),
        };
        match shown {
            Shown::Nobody | Shown::Enough => return Ok(Exit::Ok),
            Shown::More => {}
            Shown::Nothing if !peek.follow => return Ok(Exit::Ok),
            Shown::Nothing => tokio::time::sleep(INTERVAL).await,
        }
    }
}

enum Shown {
    /// There may be more at once.
    More,
    /// There is nothing more now.
    Nothing,
    /// As many as were asked for.
    Enough,
    /// Nobody reads it any more.
    Nobody,
}

struct Look<'a> {
    desk: &'a Desk,
    what: String,
    peek: &'a Peek<'a>,
    cursor: Option<String>,
    /// The last notification that was shown: a list that goes on from the start tells it again.
    seen: Option<String>,
}

impl Look<'_> {
    async fn step(&mut self) -> Result<Shown, Failure> {
        let limit = self.peek.size.unwrap_or(PAGE);
        let mut query = format!("?subscription={}&state=queued&limit={limit}", segment(self.peek.subscription));
        if let Some(cursor) = &self.cursor {
            query.push_str("&cursor=");
            query.push_str(cursor);
        }
        let answer = self.desk.get(&self.what, &format!("/notifications{query}")).await?;
        let page: Page = answer.read("the list")?;
        // Ids rise with the order of the list.
        let new: Vec<_> =
            page.notifications.into_iter().filter(|n| self.seen.as_ref().is_none_or(|seen| n.id > *seen)).collect();
        for waiting in &new {
            if output::result_taken(&self.line(waiting).await?)? == Taken::No {
                return Ok(Shown::Nobody);
            }
        }
        self.seen = new.last().map(|n| n.id.clone()).or(self.seen.take());
        let more = page.cursor.is_some();
        // At the end the place stays: what comes next is listed behind it.
        self.cursor = page.cursor.or(self.cursor.take());
        Ok(if !new.is_empty() && !self.peek.follow {
            Shown::Enough
        } else if more {
            Shown::More
        } else {
            Shown::Nothing
        })
    }

    async fn line(&self, waiting: &Waiting) -> Result<String, Failure> {
        let Waiting { id, event, deadline } = waiting;
        let answer = self.desk.get(&self.what, &format!("/events/{}", segment(event))).await?;
        let event: &RawValue = answer.read("the event")?;
        let (id, deadline) = (json!(id), json!(deadline));
        Ok(format!("{{\"notification\":{id},\"deadline\":{deadline},\"event\":{}}}\n", one_line(event.get())))
    }
}
