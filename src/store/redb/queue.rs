//! One endpoint's queue in memory: what waits, oldest first, 16 bytes a notification.
//!
//! Entries lie in segments that know their earliest and latest deadline, so that counting what is unexpired and
//! finding what has expired skip whole segments, however long the queue is, and that what is put into its middle or
//! taken out of it moves one segment only.

use std::collections::VecDeque;

use crate::base::clock::Timestamp;
use crate::model::id::Position;

/// A waiting notification: where its event stands, how large the event is, and until when it may be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Position in the upper 44 bits, size in units of [`Entry::SIZE_UNIT`] bytes in the lower 20.
    packed: u64,
    deadline: Timestamp,
}

impl Entry {
    /// Sizes are kept in steps of this many bytes, rounded up; more than 64 MiB counts as 64 MiB.
    const SIZE_UNIT: u64 = 64;
    const SIZE_BITS: u32 = 20;

    pub(super) fn new(position: Position, size: u64, deadline: Timestamp) -> Self {
        let units = size.div_ceil(Self::SIZE_UNIT).min((1 << Self::SIZE_BITS) - 1);
        Self { packed: position.get() << Self::SIZE_BITS | units, deadline }
    }

    pub(super) const fn position(self) -> u64 {
        self.packed >> Self::SIZE_BITS
    }

    /// The event's size in bytes, rounded up.
    pub(super) const fn size(self) -> u64 {
        (self.packed & ((1 << Self::SIZE_BITS) - 1)) * Self::SIZE_UNIT
    }

    pub(super) const fn deadline(self) -> Timestamp {
        self.deadline
    }

    pub(super) fn is_live(self, now: Timestamp) -> bool {
        self.deadline > now
    }
}

#[derive(Debug)]
struct Segment {
    entries: VecDeque<Entry>,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Segment {
    const LEN: usize = 512;

    fn of(entry: Entry) -> Self {
        Self { entries: VecDeque::from([entry]), earliest: entry.deadline, latest: entry.deadline }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.earliest = self.earliest.min(entry.deadline);
        self.latest = self.latest.max(entry.deadline);
    }

    fn find(&self, position: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&position, |e| e.position())
    }

    /// Puts an entry into its place; there is none at its position.
    fn insert(&mut self, entry: Entry) {
        let index = self.find(entry.position()).unwrap_or_else(|place| place);
        self.entries.insert(index, entry);
        self.earliest = self.earliest.min(entry.deadline);
        self.latest = self.latest.max(entry.deadline);
    }

    /// Takes the entries from `index` on into a segment of their own.
    fn split_off(&mut self, index: usize) -> Self {
        Self { entries: self.entries.split_off(index), earliest: self.earliest, latest: self.latest }
    }

    /// Takes out what has expired and tells `each` of its position; answers how many that was.
    fn prune(&mut self, now: Timestamp, mut each: impl FnMut(u64)) -> usize {
        let before = self.entries.len();
        self.entries.retain(|e| {
            let live = e.is_live(now);
            if !live {
                each(e.position());
            }
            live
        });
        self.entries.shrink_to(Self::LEN.min(self.entries.len().next_power_of_two()));
        self.earliest = self.entries.iter().map(|e| e.deadline).min().unwrap_or(Timestamp::MAX);
        before - self.entries.len()
    }

    fn live(&self, now: Timestamp) -> usize {
        if self.earliest > now {
            self.entries.len()
        } else if self.latest <= now {
            0
        } else {
            self.entries.iter().filter(|e| e.is_live(now)).count()
        }
    }
}

/// The queue. Positions rise from front to back.
#[derive(Debug, Default)]
pub(super) struct Queue {
    segments: VecDeque<Segment>,
    len: usize,
}

impl Queue {
    /// How many entries there are, expired ones that no sweep has met included.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many may still be handed out.
    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.segments.iter().map(|s| s.live(now)).sum()
    }

    /// Whether there is something to hand out. What has its deadline until `withheld_to` is withheld, and all behind it:
    /// handed out past it, it would count as expired.
    pub(super) fn has_ready(&self, now: Timestamp, withheld_to: Timestamp) -> bool {
        self.first_live(now).is_some_and(|e| e.is_live(withheld_to))
    }

    /// The oldest that may still be handed out.
    pub(super) fn first_live(&self, now: Timestamp) -> Option<Entry> {
        self.live_after(None, now).next()
    }

    /// Whether a sweep may find something to take out: `true` also where it has been taken out meanwhile.
    pub(super) fn may_have_expired(&self, now: Timestamp) -> bool {
        self.segments.iter().any(|s| s.earliest <= now)
    }

    /// Adds the newest entry.
    pub(super) fn push(&mut self, entry: Entry) {
        match self.segments.back_mut() {
            Some(last) if last.entries.len() < Segment::LEN => last.push(entry),
            _ => self.segments.push_back(Segment::of(entry)),
        }
        self.len += 1;
    }

    /// Puts an entry into its place. One at its position is replaced.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.remove(entry.position());
        let at = self.segment_of(entry.position());
        let Some(segment) = self.segments.get_mut(at) else { return self.push(entry) };
        segment.insert(entry);
        self.len += 1;
        if segment.entries.len() > Segment::LEN {
            let later = segment.split_off(Segment::LEN / 2);
            self.segments.insert(at + 1, later);
        }
    }

    /// Takes out the entry at `position`, expired or not.
    pub(super) fn remove(&mut self, position: u64) -> Option<Entry> {
        let at = self.segment_of(position);
        let segment = self.segments.get_mut(at)?;
        let index = segment.find(position).ok()?;
        let entry = segment.entries.remove(index)?;
        self.len -= 1;
        if segment.entries.is_empty() {
            self.segments.remove(at);
        }
        Some(entry)
    }

    /// Where the segment is that has, or would have, the entry at `position`; behind the last one if none.
    fn segment_of(&self, position: u64) -> usize {
        self.segments.partition_point(|s| s.entries.back().is_some_and(|e| e.position() < position))
    }

    /// Whether there is an entry at `position`, expired or not.
    pub(super) fn contains(&self, position: u64) -> bool {
        self.segments.get(self.segment_of(position)).is_some_and(|s| s.find(position).is_ok())
    }

    /// The entry at `position`, expired or not.
    pub(super) fn get(&self, position: u64) -> Option<Entry> {
        let segment = self.segments.get(self.segment_of(position))?;
        segment.find(position).ok().and_then(|index| segment.entries.get(index).copied())
    }

    /// Whether the notification at `position` waits and may still be handed out.
    pub(super) fn holds_live(&self, position: u64, now: Timestamp) -> bool {
        let segment = self.segments.get(self.segment_of(position));
        segment.is_some_and(|s| s.find(position).is_ok_and(|i| s.entries[i].is_live(now)))
    }

    /// What may still be handed out, oldest first, behind `position` or from the front.
    pub(super) fn live_after(&self, position: Option<u64>, now: Timestamp) -> impl Iterator<Item = Entry> {
        let first = match position {
            None => 0,
            Some(p) => self.segments.partition_point(|s| s.entries.back().is_some_and(|e| e.position() <= p)),
        };
        self.segments
            .range(first..)
            .filter(move |s| s.latest > now)
            .flat_map(|s| s.entries.iter().copied())
            .filter(move |e| position.is_none_or(|p| e.position() > p) && e.is_live(now))
    }

    /// Takes out everything up to and with `position`; answers how many that were.
    pub(super) fn drop_through(&mut self, position: u64) -> usize {
        let before = self.len;
        while let Some(first) = self.segments.front_mut() {
            if first.entries.back().is_some_and(|e| e.position() <= position) {
                self.len -= first.entries.len();
                self.segments.pop_front();
                continue;
            }
            let gone = first.entries.partition_point(|e| e.position() <= position);
            first.entries.drain(..gone);
            self.len -= gone;
            break;
        }
        before - self.len
    }

    /// Takes out what has expired, looking at no more than `budget` entries, and tells `each` of its position; answers
    /// how many were taken out, and whether there may be more.
    pub(super) fn drop_expired(
        &mut self,
        now: Timestamp,
        budget: &mut usize,
        mut each: impl FnMut(u64),
    ) -> (usize, bool) {
        let before = self.len;
        let mut more = false;
        for segment in &mut self.segments {
            if segment.earliest > now {
                continue;
            }
            if *budget == 0 {
                more = true;
                break;
            }
            *budget = budget.saturating_sub(segment.entries.len());
            self.len -= segment.prune(now, &mut each);
        }
        self.segments.retain(|s| !s.entries.is_empty());
        (before - self.len, more)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(position: u64, deadline: i64) -> Entry {
        Entry::new(Position::new(position).unwrap(), 300, Timestamp::from_millis(deadline))
    }

    #[test]
    fn an_entry_gives_back_what_it_holds() {
        let e = Entry::new(Position::new(Position::LIMIT - 1).unwrap(), 65, Timestamp::from_millis(7));
        assert_eq!((e.position(), e.size()), (Position::LIMIT - 1, 128));
        assert!(e.is_live(Timestamp::from_millis(6)));
        assert!(!e.is_live(Timestamp::from_millis(7)));
        assert_eq!(Entry::new(Position::new(1).unwrap(), u64::MAX, Timestamp::MAX).position(), 1);
        assert_eq!(std::mem::size_of::<Entry>(), 16);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64, i64),
        Insert(u64, i64),
        Remove(u64),
        DropThrough(usize),
        DropExpired(i64, usize),
        Count(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (1_u64..4, 0_i64..50).prop_map(|(gap, deadline)| Step::Push(gap, deadline)),
            3 => (0_u64..4000, 0_i64..50).prop_map(|(position, deadline)| Step::Insert(position, deadline)),
            2 => (0_u64..4000).prop_map(Step::Remove),
            1 => (0_usize..40).prop_map(Step::DropThrough),
            1 => (0_i64..50, 1_usize..2000).prop_map(|(now, budget)| Step::DropExpired(now, budget)),
            2 => (0_i64..50).prop_map(Step::Count),
        ];
        proptest::collection::vec(step, 0..3000)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_queue_behaves_as_a_list(steps in steps()) {
            let mut queue = Queue::default();
            let mut list: Vec<Entry> = Vec::new();
            let mut position = 0;
            for step in steps {
                match step {
                    Step::Push(gap, deadline) => {
                        position += gap;
                        queue.push(entry(position, deadline));
                        list.push(entry(position, deadline));
                    }
                    Step::Insert(at, deadline) => {
                        queue.insert(entry(at, deadline));
                        list.retain(|e| e.position() != at);
                        list.insert(list.partition_point(|e| e.position() < at), entry(at, deadline));
                        position = position.max(at);
                    }
                    Step::Remove(at) => {
                        let expected = list.iter().position(|e| e.position() == at).map(|i| list.remove(i));
                        prop_assert_eq!(queue.contains(at), expected.is_some());
                        prop_assert_eq!(queue.remove(at), expected);
                    }
                    Step::DropThrough(index) => {
                        if let Some(to) = list.get(index).map(|e| e.position()) {
                            prop_assert_eq!(queue.drop_through(to), index + 1);
                            list.drain(..=index);
                        }
                    }
                    Step::DropExpired(now, mut budget) => {
                        let now = Timestamp::from_millis(now);
                        let mut told = Vec::new();
                        let (dropped, more) = queue.drop_expired(now, &mut budget, |position| told.push(position));
                        let before = list.len();
                        let all: Vec<_> = list.iter().map(|e| e.position()).collect();
                        if more {
                            let left: Vec<_> = queue.live_after(None, Timestamp::MIN).map(Entry::position).collect();
                            list.retain(|e| left.contains(&e.position()) || e.is_live(now));
                        } else {
                            list.retain(|e| e.is_live(now));
                        }
                        prop_assert_eq!(dropped, before - list.len());
                        let gone = |p: &u64| list.iter().all(|e| e.position() != *p);
                        prop_assert_eq!(told, all.into_iter().filter(gone).collect::<Vec<_>>());
                    }
                    Step::Count(now) => {
                        let now = Timestamp::from_millis(now);
                        let live: Vec<_> = list.iter().copied().filter(|e| e.is_live(now)).collect();
                        prop_assert_eq!(queue.live(now), live.len());
                        prop_assert_eq!(queue.has_ready(now, Timestamp::MIN), !live.is_empty());
                        let later = Timestamp::from_millis(now.as_millis() + 10);
                        prop_assert_eq!(queue.has_ready(now, later), live.first().is_some_and(|e| e.is_live(later)));
                        prop_assert_eq!(queue.first_live(now), live.first().copied());
                        let behind = list.get(list.len() / 2).map(|e| e.position());
                        let expected: Vec<_> =
                            live.iter().copied().filter(|e| behind.is_none_or(|b| e.position() > b)).collect();
                        prop_assert_eq!(queue.live_after(behind, now).collect::<Vec<_>>(), expected);
                        if let Some(b) = behind {
                            prop_assert_eq!(queue.holds_live(b, now), live.iter().any(|e| e.position() == b));
                        }
                    }
                }
                prop_assert_eq!(queue.len(), list.len());
            }
        }
    }
}
