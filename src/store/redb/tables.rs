//! The tables of the data file.
//!
//! Why this layout (measured against the journal of performance.md): in redb a commit costs what leaf pages it
//! touches. So an event is one row of one table in order of position, which a commit appends to, and the store's own
//! state goes along in the last row of the commit. A poll is one row. Nothing else is written for an event, a
//! notification, a match or an expiry: queues, identities and sums are memory, rebuilt at start from the heads behind
//! [`super::record::Meta::settled_to`]. Only what is leased, put back or cancelled by itself has rows of its own.
//!
//! With one caller a commit writes seven pages where rows for heads, bodies and state took ten. With 64 connections it
//! takes 0.4 of what a bare hyper server answers (`cargo bench --bench gates`), where the journal's prototype took 0.36.
//!
//! Start must not read bodies. So the sweep files the heads of new events in a table of their own, thousands in a
//! transaction, and start reads that one, and bodies only of the last second's events that are not filed yet.

use redb::TableDefinition;

/// One row `state`: [`super::record::Meta`], written in every transaction that appends no event; one that does keeps it
/// in the row of its last event. The one with the higher sequence holds.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// Position → [`super::record::Head`], of events below [`super::record::Meta::filed_to`].
pub(super) const HEADS: TableDefinition<u64, &[u8]> = TableDefinition::new("heads");

/// Position → [`super::record::EventRow`]; gone once the history has passed.
pub(super) const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");

/// [`PageAt`] → [`super::record::PageRow`], consumed or leased. The cursor of the endpoint's last row is its own: what
/// is not behind it has been handed out or has expired, unless it has a row of its own below.
pub(super) const PAGES: TableDefinition<PageAt, &[u8]> = TableDefinition::new("pages");

/// (endpoint, its cursor after the page, n): n is 0 for the page that moved the cursor there, and counts from 1 for
/// those that took only what had been handed out before.
pub(super) type PageAt = (u32, u64, u32);

/// (endpoint, position) → [`super::course::OpenRow`]: leased, or waiting again. All of it is read at start.
pub(super) const OPEN: TableDefinition<(u32, u64), &[u8]> = TableDefinition::new("open");

/// (endpoint, position) → [`super::course::OutcomeRow`]: ended otherwise than by a plain page or by time. It holds
/// against what pages and cursor say. Start reads it from the settled point on; it goes when the history has passed.
pub(super) const OUTCOMES: TableDefinition<(u32, u64), &[u8]> = TableDefinition::new("outcomes");

/// Endpoint → [`super::record::EndpointRow`].
pub(super) const ENDPOINTS: TableDefinition<u32, &[u8]> = TableDefinition::new("endpoints");

/// Subscription → [`super::record::SubscriptionRow`].
pub(super) const SUBSCRIPTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("subscriptions");

/// (endpoint, position, number from 1) → [`super::attempt_row::AttemptRow`], but for the one that it ended with, which is in
/// OUTCOMES; it goes when the history has passed.
pub(super) const ATTEMPTS: TableDefinition<(u32, u64, u32), &[u8]> = TableDefinition::new("attempts");

/// Endpoint → [`super::standing_row::StandingRow`]: how what is sent to stands; none while nothing has gone wrong.
pub(super) const STANDINGS: TableDefinition<u32, &[u8]> = TableDefinition::new("standings");

/// Address → since when it is not mailed to, and why.
pub(super) const SUPPRESSED: TableDefinition<&str, &[u8]> = TableDefinition::new("suppressed");

/// (name, subject) → a condition that lasts, and what has been told of it.
pub(super) const CONDITIONS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("conditions");

/// Endpoint → when it was last polled, in milliseconds.
pub(super) const POLLED: TableDefinition<u32, i64> = TableDefinition::new("polled");

/// Endpoint → [`super::record::Tally`] of its notifications at positions below `settled_to`.
pub(super) const TALLIES: TableDefinition<u32, &[u8]> = TableDefinition::new("tallies");

/// Position → the ledger's time at which everything below it had ended. One row a minute at most.
pub(super) const SETTLED: TableDefinition<u64, i64> = TableDefinition::new("settled");

/// Receiver ([`super::receivers::ReceiverKey`]) → the last number that was given out to it. It stays whatever becomes of
/// subscriptions: one that is made anew counts on. A restore into a new file raises each by a million, as nobody knows
/// what was given out after the backup (contracts/management.md, "The webhook").
pub(super) const NUMBERS: TableDefinition<&[u8; 16], u64> = TableDefinition::new("numbers");

/// Position → how often the event was repeated, where that is told; it goes with its head.
pub(super) const REPEATS: TableDefinition<u64, &[u8]> = TableDefinition::new("repeats");

/// Endpoint → the position from which on the sweep still has to erase what was sent to it. Endpoints of one subscription.
pub(super) const ERASING: TableDefinition<u32, u64> = TableDefinition::new("erasing");

/// (subscriber, domain): where webhooks of the subscriber may be.
pub(super) const WEBHOOK_DOMAINS: TableDefinition<(&str, &str), ()> = TableDefinition::new("webhook_domains");

/// Name → sealed secret.
pub(super) const SECRETS: TableDefinition<&str, &[u8]> = TableDefinition::new("secrets");
