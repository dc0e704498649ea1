//! Where single notifications stand, as the file says: for those who look, and for those who act on them.
//!
//! The same rules as in `account`, which counts them: a row of its own holds; otherwise head, cursor, pages and the
//! time decide. It reads one snapshot of the file and no memory.

use std::sync::Arc;

use hashbrown::HashMap;
use redb::{ReadOnlyTable, ReadTransaction};

use super::account;
use super::attempt_row::AttemptRow;
use super::course::{
    ANSWER_UNCONFIRMED, DEADLINE, OpenRow, OutcomeRow, POLLED, Past, Phase, QUEUE_FULL, SUBSCRIPTION_REMOVED,
};
use super::look::Unwritten;
use super::record::{self, EndpointRow, Entrance, Group, Head, Meta, PageRow};
use super::standing_row::StandingRow;
use super::storage;
use super::subscription_row;
use super::tables::{ATTEMPTS, ENDPOINTS, OPEN, OUTCOMES, PAGES, PageAt, STANDINGS, SUBSCRIPTIONS};
use crate::base::clock::Timestamp;
use crate::model::id::SubscriptionId;
use crate::model::notification::State;
use crate::model::subscription::HoldReason;
use crate::store::{KeptAttempt, Standing as EndpointStanding, StoreError};

type Rows<K> = ReadOnlyTable<K, &'static [u8]>;

/// Where a notification stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) reason: Option<String>,
    pub(super) ended: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    pub(super) handouts: u32,
    pub(super) leased_until: Option<Timestamp>,
    pub(super) row: OwnRow,
}

/// What a notification has of its own.
#[derive(Debug)]
pub(super) enum OwnRow {
    /// Nothing, or the plain page that consumed it.
    None(Option<PageAt>),
    Open(OpenRow),
    Outcome(OutcomeRow),
}

impl OwnRow {
    /// What came before.
    pub(super) fn past(&self) -> Past {
        match self {
            Self::None(page) => page.map(Past::of).unwrap_or_default(),
            Self::Open(row) => row.past.clone(),
            Self::Outcome(row) => row.past.clone(),
        }
    }
}

/// An endpoint, as far as its notifications depend on it.
#[derive(Clone, Debug)]
pub(super) struct Addressee {
    pub(super) subscription: SubscriptionId,
    /// When it was removed, and as what ended that waited then.
    pub(super) removed: Option<(Timestamp, State)>,
    cursor: u64,
    hold: Option<HoldReason>,
    /// When what is sent to was last there again.
    pub(super) recovered: Option<Timestamp>,
}

/// The last page that was looked into for an endpoint: it is that of all positions from one to its cursor.
struct PageInHand {
    from: u64,
    at: PageAt,
    positions: Arc<[u64]>,
    page: PageRow,
}

/// Reads where notifications stand.
pub(super) struct Judge {
    now: Timestamp,
    meta: Meta,
    endpoints: Rows<u32>,
    subscriptions: Rows<&'static str>,
    pages: Rows<PageAt>,
    open: Rows<(u32, u64)>,
    outcomes: Rows<(u32, u64)>,
    attempts: Rows<(u32, u64, u32)>,
    standings: Rows<u32>,
    unwritten: Unwritten,
    addressees: HashMap<u32, Option<Addressee>>,
    in_hand: HashMap<u32, PageInHand>,
}

impl Judge {
    pub(super) fn new(read: &ReadTransaction, unwritten: Unwritten, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            now,
            meta: super::load::read_meta(read)?,
            endpoints: read.open_table(ENDPOINTS).map_err(storage)?,
            subscriptions: read.open_table(SUBSCRIPTIONS).map_err(storage)?,
            pages: read.open_table(PAGES).map_err(storage)?,
            open: read.open_table(OPEN).map_err(storage)?,
            outcomes: read.open_table(OUTCOMES).map_err(storage)?,
            attempts: read.open_table(ATTEMPTS).map_err(storage)?,
            standings: read.open_table(STANDINGS).map_err(storage)?,
            unwritten,
            addressees: HashMap::new(),
            in_hand: HashMap::new(),
        })
    }

    pub(super) const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The endpoint; `None` once it has been forgotten.
    pub(super) fn addressee(&mut self, number: u32) -> Result<Option<&Addressee>, StoreError> {
        if !self.addressees.contains_key(&number) {
            let addressee = self.read_addressee(number)?;
            self.addressees.insert(number, addressee);
        }
        Ok(self.addressees.get(&number).and_then(Option::as_ref))
    }

    fn read_addressee(&self, number: u32) -> Result<Option<Addressee>, StoreError> {
        let Some(row) = self.endpoints.get(number).map_err(storage)? else { return Ok(None) };
        let EndpointRow { subscription, kind: _, removed } = EndpointRow::decode(row.value())?;
        let ends = |failed| if failed { State::Failed } else { State::Cancelled };
        let removed = removed.map(|(_, at, failed)| (Timestamp::from_millis(at), ends(failed)));
        let standing = self.read_standing(number)?;
        let hold = if removed.is_some() { None } else { self.read_hold(&subscription)? };
        let hold = hold.or(standing.hold.as_ref().map(|hold| hold.reason));
        let cursor = account::cursor(&self.pages, number)?;
        let recovered = standing.recovered;
        Ok(Some(Addressee { subscription: SubscriptionId::new(&subscription), removed, cursor, hold, recovered }))
    }

    fn read_standing(&self, number: u32) -> Result<EndpointStanding, StoreError> {
        let Some(row) = self.standings.get(number).map_err(storage)? else { return Ok(EndpointStanding::default()) };
        record::decode::<StandingRow>(row.value(), "how an endpoint stands")?.into_standing()
    }

    /// Whether the notification of the event at `position` for the endpoint `number` is being sent.
    pub(super) fn is_in_flight(&self, number: u32, position: u64) -> bool {
        self.unwritten.in_flight.contains(&(number, position))
    }

    /// The attempts to send the notification of the event at `position` for the endpoint `number`, first to last; `row`
    /// is what it has of its own.
    pub(super) fn attempts(&self, number: u32, position: u64, row: &OwnRow) -> Result<Vec<KeptAttempt>, StoreError> {
        let rows = self.attempts.range((number, position, 0)..=(number, position, u32::MAX)).map_err(storage)?;
        let mut attempts = Vec::new();
        for row in rows {
            let (key, row) = row.map_err(storage)?;
            let attempt = record::decode::<AttemptRow>(row.value(), "an attempt")?.into_attempt()?;
            attempts.push(KeptAttempt { number: key.value().2, attempt });
        }
        if let OwnRow::Outcome(OutcomeRow { attempt: Some(attempt), past, .. }) = row {
            // Some may have been settled after it had ended.
            let at = attempts.partition_point(|kept| kept.number < past.attempts);
            attempts
                .insert(at, KeptAttempt { number: past.attempts, attempt: AttemptRow::clone(attempt).into_attempt()? });
        }
        Ok(attempts)
    }

    fn read_hold(&self, subscription: &str) -> Result<Option<HoldReason>, StoreError> {
        let Some(row) = self.subscriptions.get(subscription).map_err(storage)? else { return Ok(None) };
        Ok(subscription_row::decode(subscription, row.value())?.holds.first().map(|hold| hold.reason))
    }

    /// Where the notification of the event at `position` for the endpoint `number` of `group` stands; `None` if the
    /// history has forgotten it.
    pub(super) fn stand(
        &mut self,
        position: u64,
        head: &Head,
        group: &Group,
        number: u32,
    ) -> Result<Option<Standing>, StoreError> {
        let Some(addressee) = self.addressee(number)?.cloned() else { return Ok(None) };
        if let Some(row) = self.open.get((number, position)).map_err(storage)? {
            let is_sent = self.is_in_flight(number, position);
            return Ok(Some(self.open_standing(OpenRow::decode(row.value())?, &addressee, is_sent)));
        }
        if position < self.meta.history_from {
            return Ok(None);
        }
        if let Some(row) = self.outcomes.get((number, position)).map_err(storage)? {
            return self.outcome_standing(number, OutcomeRow::decode(row.value())?).map(Some);
        }
        self.plain_standing(position, head, group, number, &addressee).map(Some)
    }

    fn open_standing(&self, row: OpenRow, addressee: &Addressee, is_sent: bool) -> Standing {
        let (deadline, handouts) = (row.deadline(), row.handouts);
        let until = addressee.removed.map_or(self.now, |(at, _)| at);
        let (phase, ended) = (row.phase(until), row.ended_by(until));
        let (state, reason, ended) = match (ended, addressee.removed) {
            // It does not end before who sends it has been heard of.
            (_, None) if is_sent => (State::Leased, None, None),
            (Some((state, reason, at)), _) => (state, Some(reason), Some(at)),
            (None, Some((at, ends))) => (row.ends_as(ends), Some(SUBSCRIPTION_REMOVED), Some(at)),
            (None, None) if phase == Phase::Leased => (State::Leased, None, None),
            (None, None) if phase == Phase::Held => {
                (State::Held, Some(addressee.hold.unwrap_or(HoldReason::OutsideHours).as_str()), None)
            }
            (None, None) => (live_state(addressee), addressee.hold.map(HoldReason::as_str), None),
        };
        let leased_until = row.lease().map(|lease| lease.until).filter(|_| state == State::Leased);
        let reason = reason.map(str::to_owned);
        Standing { state, reason, ended, deadline, handouts, leased_until, row: OwnRow::Open(row) }
    }

    fn outcome_standing(&self, number: u32, row: OutcomeRow) -> Result<Standing, StoreError> {
        let mut reason = row.reason.clone();
        if row.reason == POLLED
            && let Some(at) = row.past.pages(number).next_back()
            && let Some(page) = self.page(at)?
            && !self.is_confirmed(at, &page)
        {
            ANSWER_UNCONFIRMED.clone_into(&mut reason);
        }
        Ok(Standing {
            state: row.state()?,
            reason: Some(reason),
            ended: Some(row.at()),
            deadline: row.deadline(),
            handouts: row.handouts,
            leased_until: None,
            row: OwnRow::Outcome(row),
        })
    }

    fn plain_standing(
        &mut self,
        position: u64,
        head: &Head,
        group: &Group,
        number: u32,
        addressee: &Addressee,
    ) -> Result<Standing, StoreError> {
        let deadline = group.deadline();
        let page = self.plain_page(number, position, addressee)?;
        let (state, reason, ended) = match (page, addressee.removed) {
            _ if group.entrance == Entrance::QueueFull => (State::Failed, Some(QUEUE_FULL), Some(head.accepted())),
            (None, None) if self.is_in_flight(number, position) => (State::Leased, None, None),
            (Some((_, reason, at)), _) => (State::Consumed, Some(reason), Some(at)),
            (None, Some((at, ends))) if position > addressee.cursor && deadline > at => {
                (ends, Some(SUBSCRIPTION_REMOVED), Some(at))
            }
            (None, None) if position > addressee.cursor && deadline > self.now => {
                (live_state(addressee), addressee.hold.map(HoldReason::as_str), None)
            }
            _ => (State::Expired, Some(DEADLINE), Some(deadline.max(head.accepted()))),
        };
        let (reason, row) = (reason.map(str::to_owned), OwnRow::None(page.map(|(at, ..)| at)));
        Ok(Standing { state, reason, ended, deadline, handouts: 0, leased_until: None, row })
    }

    /// The page that consumed what is at `position`, without a row of its own; with the reason, and when that was.
    fn plain_page(
        &mut self,
        number: u32,
        position: u64,
        addressee: &Addressee,
    ) -> Result<Option<(PageAt, &'static str, Timestamp)>, StoreError> {
        if position > addressee.cursor {
            return Ok(None);
        }
        let is_it = |page: &PageInHand| (page.from..=page.at.1).contains(&position);
        if !self.in_hand.get(&number).is_some_and(is_it) {
            let Some(page) = self.page_over(number, position)? else { return Ok(None) };
            self.in_hand.insert(number, page);
        }
        let Some(PageInHand { at, positions, page, .. }) = self.in_hand.get(&number) else { return Ok(None) };
        if page.until.is_some() || positions.binary_search(&position).is_err() {
            return Ok(None);
        }
        let reason = if self.is_confirmed(*at, page) { POLLED } else { ANSWER_UNCONFIRMED };
        Ok(Some((*at, reason, Timestamp::from_millis(page.time))))
    }

    /// The page with which the endpoint's cursor passed `position`.
    fn page_over(&self, number: u32, position: u64) -> Result<Option<PageInHand>, StoreError> {
        let from = (number, position, 0);
        let row = self.pages.range(from..=(number, u64::MAX, u32::MAX)).map_err(storage)?.next();
        let Some((at, row)) = row.transpose().map_err(storage)? else { return Ok(None) };
        let page: PageRow = record::decode(row.value(), "a page")?;
        let positions = page.fresh.positions().collect();
        Ok(Some(PageInHand { from: position, at: at.value(), positions, page }))
    }

    /// A page that is still there.
    pub(super) fn page(&self, at: PageAt) -> Result<Option<PageRow>, StoreError> {
        let row = self.pages.get(at).map_err(storage)?;
        row.map(|row| record::decode(row.value(), "a page")).transpose()
    }

    /// Whether the page's answer is known to have reached the socket whole.
    pub(super) fn is_confirmed(&self, at: PageAt, page: &PageRow) -> bool {
        page.confirmed || self.unwritten.confirmed.contains(&at)
    }
}

/// The state of what waits.
const fn live_state(addressee: &Addressee) -> State {
    if addressee.hold.is_some() { State::Held } else { State::Queued }
}
